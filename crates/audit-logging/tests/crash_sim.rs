//! Crashes on the simulated disk: nothing durable is lost, nothing stands twice, the trail goes on.

use audit_testkit::{rotation, sim};

#[test]
fn power_cut_at_every_step_of_a_fixed_history() {
    let summary = sim::sweep(2, 7, 1).unwrap_or_else(|error| panic!("{error}"));
    assert!(summary.rounds > 100 && summary.acknowledged > 0, "{summary:?}");
}

#[test]
fn random_histories_with_faults_kills_and_power_cuts() {
    let summary = sim::run(25, 20_261_123).unwrap_or_else(|error| panic!("{error}"));
    assert!(summary.crashes > 300 && summary.salvaged > 20, "{summary:?}");
}

#[test]
fn a_first_start_that_fails_and_a_second_that_loses_the_power() {
    let summary = sim::first_starts(1, 11, 4).unwrap_or_else(|error| panic!("{error}"));
    assert!(summary.rounds > 10 && summary.crashes > 100, "{summary:?}");
}

#[test]
fn a_poisoned_service_that_restarts_builds_on_nothing_that_is_not_on_disk() {
    for seed in 0..10 {
        let summary = sim::poisoned_then_restarted(3, seed).unwrap_or_else(|e| panic!("{e}"));
        assert!(summary.acknowledged >= 3 * 12, "{summary:?}");
    }
}

#[test]
fn a_key_rotation_cut_short_at_every_step_leaves_one_key_and_one_history() {
    let result = rotation::sweep(1, 19, 5).unwrap_or_else(|error| panic!("{error}"));
    // Both halves were met: the rotation that never was, and the one that the next opening ends.
    assert!(result.two_keys > 20 && result.undone > 20 && result.done > 20, "{result:?}");
}
