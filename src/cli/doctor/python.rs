//! Python interpreters: their versions, and what the guard can do in each. They are asked with a
//! line of Python of this command's; no program's code is run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use super::Findings;
use super::finding::Finding;
use crate::inside;
use crate::program::find;

const SUBJECT: &str = "python";
/// Versions whose frames are known or published: 3.8 to this.
const NEWEST: u32 = 15;
const PATIENCE: Duration = Duration::from_secs(20);

/// What is asked of an interpreter. Packages are looked for and not imported.
const ASKS: &str = "
import json, platform, sys, sysconfig
from importlib.util import find_spec
def has(name):
    try:
        return find_spec(name) is not None
    except (ImportError, AttributeError, ValueError):
        return False
print(json.dumps(dict(
    implementation=platform.python_implementation(),
    version=list(sys.version_info[:3]),
    free_threaded=bool(sysconfig.get_config_var('Py_GIL_DISABLED')),
    cloudpickle=next((name for name in ('cloudpickle', 'joblib', 'ray', 'pyspark') if has(name)), None),
)))
";

#[derive(Deserialize)]
struct Interpreter {
    implementation: String,
    version: (u32, u32, u32),
    free_threaded: bool,
    cloudpickle: Option<String>,
}

/// The interpreters that `PATH` has.
pub fn on_path(asks_exec: bool) -> Findings {
    let mut paths: Vec<PathBuf> = Vec::new();
    for name in ["python3", "python"] {
        if let Ok(path) = find(name.as_ref()) {
            let same = |other: &PathBuf| {
                let whole = |path: &Path| path.canonicalize().ok();
                whole(other) == whole(&path) && other.parent() == path.parent()
            };
            if !paths.iter().any(same) {
                paths.push(path);
            }
        }
    }
    if paths.is_empty() {
        return vec![Finding::ok(SUBJECT, "no interpreter in PATH")];
    }
    paths
        .iter()
        .map(|path| interpreter(path, asks_exec))
        .collect()
}

/// Whether a file is an interpreter, by its name.
pub fn is_interpreter(path: &Path) -> bool {
    let whole = path.canonicalize();
    let names = [Some(path), whole.as_deref().ok()];
    names.into_iter().flatten().any(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.and_then(|name| name.strip_prefix("python"))
            .is_some_and(|rest| {
                rest.bytes()
                    .all(|byte| byte == b'.' || byte == b't' || byte.is_ascii_digit())
            })
    })
}

/// One interpreter.
pub fn interpreter(path: &Path, asks_exec: bool) -> Finding {
    let place = path.display();
    let unknown = |why: &str| {
        Finding::warning(
            SUBJECT,
            format!("{place} does not tell its version: {why}"),
            "see whether it runs at all",
        )
    };
    let mut command = Command::new(path);
    command.args(["-B", "-c", ASKS]).env_remove("LD_PRELOAD");
    let ended = match inside::run(command, PATIENCE) {
        Ok(ended) => ended,
        Err(error) => return unknown(&crate::trouble::reason(&error)),
    };
    // A site's own start-up code may print, too: the last line is ours.
    let line = ended.stdout.lines().last().unwrap_or_default();
    match serde_json::from_str::<Interpreter>(line) {
        Ok(found) => told(path, &found, asks_exec),
        Err(_) => unknown(
            ended
                .stderr
                .lines()
                .last()
                .unwrap_or("it said something else"),
        ),
    }
}

fn told(path: &Path, found: &Interpreter, asks_exec: bool) -> Finding {
    let (major, minor, micro) = found.version;
    let threads = if found.free_threaded {
        ", free-threaded"
    } else {
        ""
    };
    let what = format!(
        "{}: {} {major}.{minor}.{micro}{threads}",
        path.display(),
        found.implementation
    );
    if found.implementation != "CPython" || major != 3 || !(8..=NEWEST).contains(&minor) {
        return Finding::warning(
            SUBJECT,
            format!("{what}: reports have no Python stacks, and exec does not know its workers"),
            &format!("use CPython 3.8 to 3.{NEWEST}"),
        );
    }
    match &found.cloudpickle {
        Some(by) => {
            let by = if by == "cloudpickle" {
                by.clone()
            } else {
                format!("{by}'s cloudpickle")
            };
            Finding::ok(SUBJECT, format!("{what}; exec carries functions by {by}"))
        }
        None if asks_exec => Finding::warning(
            SUBJECT,
            format!(
                "{what}, without cloudpickle: under exec a worker imports the program again, which \
                 then needs its if __name__ == \"__main__\""
            ),
            &format!("{} -m pip install cloudpickle", path.display()),
        ),
        None => Finding::ok(
            SUBJECT,
            format!("{what}; cloudpickle, which exec makes use of, is not installed"),
        ),
    }
}
