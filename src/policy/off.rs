//! `off` while a trace is taken: a trace alone is told, and the call goes on.

use super::{Call, Verdict, violation};
use crate::gate::slots;
use crate::report::Action;
use crate::trace;

/// Tells the trace of the first violation of this process, if there is one.
pub fn act(call: &Call) -> Verdict {
    if trace::is_on() && slots::first_report() {
        violation::report(call, Action::Watch, "off");
    }
    Verdict::Forward
}
