//! A process that initialises CUDA, forks, and uses it in the child: on a stand-in for the driver,
//! under the guard. What the guard says of it is what it would say of any program.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::finding::Finding;
use super::machine::Guard;
use crate::event::Event;
use crate::folder;
use crate::inside::{self, Question};
use crate::library;

const SUBJECT: &str = "self-test";
const AGAIN: &str = "run forkguard doctor again, and report it if it stays so";
const STAND_IN: &str = "libforkguard_standin.so";

/// Whether the guard sees it.
pub fn run(guard: &Guard) -> Finding {
    let Some(stand_in) = library::beside(STAND_IN) else {
        return Finding::warning(
            SUBJECT,
            format!("not run: {STAND_IN} is not beside the command"),
            "install forkguard again",
        );
    };
    let folder = match folder::private() {
        Ok(folder) => folder,
        Err(trouble) => {
            let (why, advice) = trouble.parts();
            return Finding::problem(SUBJECT, why, advice.unwrap_or(AGAIN));
        }
    };
    match seen(guard, &stand_in, folder.path()) {
        Ok(events) => judge(&events),
        Err(why) => Finding::problem(SUBJECT, why, AGAIN),
    }
}

/// What the guard tells of it; `folder` is where it may put things.
fn seen(guard: &Guard, stand_in: &Path, folder: &Path) -> Result<Vec<Event>, String> {
    let link = folder.join("libcuda.so.1");
    symlink(stand_in, &link).map_err(|error| format!("no driver can be put there: {error}"))?;
    let file = folder.join("events");
    // The trace is written whatever the settings say.
    inside::ask::<serde_json::Value>(&guard.library, Question::SelfTest, |command| {
        command
            .env("LD_LIBRARY_PATH", folder)
            .env("FORKGUARD_STANDIN", "device")
            .env("FORKGUARD_TRACE", &file)
            .env("FORKGUARD_POLICY", "abort")
            .env_remove("FORKGUARD_REPORT")
            .env_remove("FORKGUARD_IGNORE");
    })
    .map_err(|unanswered| match &unanswered.said[..] {
        [] => unanswered.why,
        said => format!("{}: {}", unanswered.why, said.join("; ")),
    })?;
    let text = fs::read_to_string(&file).unwrap_or_default();
    Ok(text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect())
}

fn judge(events: &[Event]) -> Finding {
    let named = |name: &str| events.iter().find(|event| event.name == name);
    let Some(initialised) = named("initialised") else {
        return Finding::problem(
            SUBJECT,
            "a program that initialised CUDA was not seen to",
            "see the problems above; the guard is not effective",
        );
    };
    let acted = ["violation", "cpu", "revived"].into_iter().find_map(named);
    match acted {
        Some(event) if event.pid != initialised.pid && event.policy == "off" => Finding::warning(
            SUBJECT,
            "a child that used CUDA after its parent had initialised it was seen; the policy is \
             off, and nothing is done about it",
            "set FORKGUARD_POLICY to another policy",
        ),
        Some(event) if event.pid != initialised.pid => Finding::ok(
            SUBJECT,
            format!(
                "a child that used CUDA after its parent had initialised it was seen (policy {})",
                event.policy
            ),
        ),
        _ => Finding::problem(
            SUBJECT,
            "CUDA was seen to be initialised, and its use in a forked child was not",
            "see the settings above: is the policy off?",
        ),
    }
}
