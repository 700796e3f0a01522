//! Real power cuts, short form.

use std::process::Command;

use audit_testkit::power;

#[test]
fn what_was_durable_survives_power_cuts_on_ext4_and_xfs() {
    if let Some(why) = power::hindrance() {
        eprintln!("SKIPPED: power cuts: {why}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_battery"))
        .args(["power", "--rounds", "12", "--seed", "20261125", "--dir"])
        .arg(dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("24 rounds") && text.contains("no finding"), "{text}");
}
