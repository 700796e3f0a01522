//! What a power cut leaves of the simulated disk.
//!
//! What must stay true here: what was synced is there; of the rest any subset may be, torn at sectors,
//! names apart from content.

use std::sync::{Arc, Mutex};

use crate::rng::Rng;
use crate::sim_disk::SimDisk;

impl SimDisk {
    /// One of the disks a power cut may leave, chosen by `seed`.
    #[must_use]
    pub fn crash_image(&self, seed: u64) -> SimDisk {
        let mut rng = Rng::new(seed);
        let mut state = self.after_death();
        let mut names = state.durable_names.clone();
        let most = rng.between(0, state.pending.len());
        let any = rng.one_in(2);
        for (index, op) in state.pending.iter().enumerate() {
            if if any { rng.one_in(2) } else { index < most } {
                op.apply(&mut names);
            }
        }
        state.names.clone_from(&names);
        state.durable_names = names;
        state.pending.clear();
        state.forget_unreachable();
        state.files = state.files.iter().map(|file| file.after_power_cut(&mut rng)).collect();
        state.rng = rng;
        state.revive();
        SimDisk(Arc::new(Mutex::new(state)))
    }
}
