//! `revive`: the forked child gets a driver of its own.

use super::Call;

/// In a process that forks, or in its child: whether it is known already that a child cannot be
/// served.
pub fn would_refuse() -> bool {
    true
}

/// Gives this process a driver of its own. False where that cannot be done.
pub fn act(_call: &Call<'_>) -> bool {
    false
}
