//! Crashes on the simulated disk: nothing durable is lost, nothing stands twice, the trail goes on.

use audit_testkit::sim;

#[test]
fn power_cut_at_every_step_of_a_fixed_history() {
    let summary = sim::sweep(3, 7, 1).unwrap_or_else(|error| panic!("{error}"));
    assert!(summary.rounds > 100 && summary.acknowledged > 0, "{summary:?}");
}

#[test]
fn random_histories_with_faults_kills_and_power_cuts() {
    let summary = sim::run(400, 20_261_123).unwrap_or_else(|error| panic!("{error}"));
    assert!(summary.crashes > 400 && summary.acknowledged > 400, "{summary:?}");
}
