//! What the process has done with CUDA, by the record that its guard keeps of its family.

use forkguard_record::State;

use super::proc::Process;
use crate::doctor::finding::Finding;
use crate::event::plain;
use crate::ps::family::{Family, Fork};
use crate::ps::look::{self, Part};

const SUBJECT: &str = "cuda";

/// Where it stands, and whether that is not at the beginning; nothing where no record can be looked for.
pub fn of(process: Process) -> Option<(Finding, bool)> {
    let mut seen = look::around().ok()?;
    let Some(found) = seen.processes.remove(&process.0) else {
        let none = Finding::ok(
            SUBJECT,
            "neither it nor a process that it was forked from has initialised CUDA, as far as its \
             guard saw",
        );
        return Some((none, false));
    };
    let stands = match &found.part {
        Part::Initialiser { record, .. } => initialiser(record),
        Part::Forked { record, fork } => forked(record, fork.as_ref()),
        Part::Unknown(why) => Finding::warning(
            SUBJECT,
            format!("it, or one it was forked from, has initialised CUDA, and {why}"),
            "use the command of its guard's version, as its user or as root",
        ),
    };
    Some((stands, true))
}

fn initialiser(record: &Family) -> Finding {
    let by = &record.by;
    let how = if record.context {
        "initialised CUDA and has a context"
    } else {
        "initialised CUDA, to ask: it has no context"
    };
    let place = by.place.first().map_or(String::new(), |frame| {
        format!(" ({} at {})", by.function, plain(frame))
    });
    let violations = match record.violations {
        0 => String::new(),
        1 => "; 1 violation in processes forked from it".to_owned(),
        more => format!("; {more} violations in processes forked from it"),
    };
    Finding::ok(SUBJECT, format!("it {how}{place}{violations}"))
}

fn forked(record: &Family, fork: Option<&Fork>) -> Finding {
    let by = record.by.pid;
    let from = format!("it was forked from process {by}, which had initialised CUDA");
    match fork.map(|fork| fork.state) {
        Some(State::Warned | State::Ending) => Finding::warning(
            SUBJECT,
            format!("{from}, and has used CUDA, which fails here"),
            "see what its guard reported on its stderr, or where its events go",
        ),
        Some(State::Absent) => Finding::ok(SUBJECT, format!("{from}; it goes on without CUDA")),
        Some(State::Revived) => Finding::ok(SUBJECT, format!("{from}; it has a driver of its own")),
        Some(State::Unused) | None => {
            Finding::ok(SUBJECT, format!("{from}; it has not used CUDA itself"))
        }
    }
}
