//! `abort`: the report, then the end of the process.

use super::{Call, violation};
use crate::config;
use crate::report::Action;
use crate::sys::raw;

/// Reports, and ends the process: by `SIGABRT`, or with `FORKGUARD_EXIT_CODE`.
pub fn act(call: &Call) -> ! {
    let code = config::get().exit_code;
    violation::report(call, Action::Abort(code), "abort");
    match code {
        Some(code) => raw::exit_now(i32::from(code)),
        // SAFETY: takes nothing, does not return. A handler of the program's (faulthandler) runs.
        None => unsafe { libc::abort() },
    }
}
