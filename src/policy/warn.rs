//! `warn`: one report a process, and the call goes on.

use super::{Call, Verdict, violation};
use crate::gate::slots;
use crate::report::Action;

/// Reports the first violation of this process.
pub fn act(call: &Call) -> Verdict {
    if slots::first_report() {
        violation::report(call, Action::Warn, "warn");
    }
    Verdict::Forward
}
