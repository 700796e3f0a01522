//! See `audit_testkit::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| audit_testkit::fuzz::target("ring", bytes));
