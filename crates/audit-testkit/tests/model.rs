//! Random sequences of emit, flush, seal, new days, restarts and kills, against a model.

use audit_testkit::model;

#[test]
fn the_trail_is_what_the_model_says_to_the_entry() {
    // Of the long form: AUDIT_MODEL_ROUNDS and AUDIT_MODEL_SEED.
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let rounds = number("AUDIT_MODEL_ROUNDS").unwrap_or(60);
    let seed = number("AUDIT_MODEL_SEED").unwrap_or(20_261_125);
    let events = model::run(rounds, seed).unwrap_or_else(|error| panic!("{error}"));
    assert!(events > 5 * rounds, "{events} events in {rounds} sequences");
}
