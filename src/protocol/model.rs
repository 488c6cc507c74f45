//! The protocols themselves, not copies of them, in every order in which the machine may run their
//! steps, by loom.
//!
//! A forked child is a copy of its parent as that was at one moment. It is modelled by a thread that
//! loads what the child would read: all moments are among the orders in which that may be done. What the
//! child writes is its own, and goes to words that the model makes for it.

mod clearing;
mod early;
mod forks;
mod functions;
mod initialisation;
mod standing;
mod tellers;
mod turns;

use loom::model::Builder;

/// Of models whose orders are too many: those in which threads are held up in the middle three times
/// at most.
fn held_up_thrice(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}
