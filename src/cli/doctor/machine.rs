//! This machine: the library, the kernel and the C library, and then all that the other checks see
//! from a process like this one.

use std::env;
use std::ffi::CStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::finding::Finding;
use super::{Findings, driver, preloads, python, self_test, settings};
use crate::inside::{self, Answered, Description, Question};
use crate::library;

/// All there is to say.
pub fn look(named: Option<&Path>) -> Findings {
    let mut found = vec![system()];
    let (mut at, guard) = guard(named);
    found.append(&mut at);
    if let Some(guard) = &guard {
        found.push(table(&guard.describes));
    }
    found.extend(kernel());
    found.extend(driver::look(guard.as_ref()));
    found.extend(settings::look(guard.as_ref()));
    found.extend(preloads::of_environment(guard.as_ref()));
    let asks_exec = guard.as_ref().is_some_and(|guard| guard.may("exec"));
    found.extend(python::on_path(asks_exec));
    if let Some(guard) = &guard {
        found.push(self_test::run(guard));
    }
    found
}

/// The library, where it loads.
pub struct Guard {
    /// By a path that can be preloaded.
    pub library: std::path::PathBuf,
    /// What it says of itself, in this environment.
    pub describes: Description,
    /// What it and the loader said besides.
    pub said: Vec<String>,
}

impl Guard {
    /// Whether a policy may be asked.
    pub fn may(&self, policy: &str) -> bool {
        self.describes.policy.iter().any(|word| word == policy)
    }
}

/// Whether the library is there and loads.
pub fn guard(named: Option<&Path>) -> (Findings, Option<Guard>) {
    const SUBJECT: &str = "library";
    const AGAIN: &str = "install forkguard again";
    let library = match library::find(named) {
        Ok(library) => library,
        Err(trouble) => {
            let otherwise = if named.is_some() {
                "name the guard's library, or leave --library out"
            } else {
                AGAIN
            };
            let (why, advice) = trouble.parts();
            let finding = Finding::problem(SUBJECT, why, advice.unwrap_or(otherwise));
            return (vec![finding], None);
        }
    };
    let place = library.display();
    let Answered { answer, said } =
        match inside::ask::<Description>(&library, Question::Describe, |_| {}) {
            Ok(answered) => answered,
            Err(unanswered) => {
                let said = unanswered.said.join("; ");
                let why = if said.is_empty() {
                    unanswered.why
                } else {
                    said
                };
                let why = format!("{place} does not load: {why}");
                return (vec![Finding::problem(SUBJECT, why, AGAIN)], None);
            }
        };
    let version = &answer.version;
    let ours = env!("CARGO_PKG_VERSION");
    let mut found = vec![if version == ours {
        Finding::ok(SUBJECT, format!("{place}, version {version}, loads"))
    } else {
        Finding::warning(
            SUBJECT,
            format!("{place} is version {version}, and this command is version {ours}"),
            "install both together",
        )
    }];
    found.extend(readable(&library));
    let guard = Guard {
        library,
        describes: answer,
        said,
    };
    (found, Some(guard))
}

/// Of a guard that root uses: whether programs that become another user can still load it.
fn readable(library: &Path) -> Option<Finding> {
    // SAFETY: takes nothing and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return None;
    }
    let whole = library.canonicalize().ok()?;
    let closed = |path: &&Path| {
        let needed = if path.is_dir() { 0o001 } else { 0o004 };
        fs::metadata(path).is_ok_and(|data| data.mode() & needed == 0)
    };
    let closed = whole.ancestors().find(closed)?;
    Some(Finding::warning(
        "library",
        format!(
            "only root can read it, for {} is closed to others",
            closed.display()
        ),
        "install it where every user can read it: a program that becomes another user and then \
         starts others loses the guard",
    ))
}

fn system() -> Finding {
    // SAFETY: `utsname` is plain bytes, for which zero is a value.
    let mut names: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes into ours.
    unsafe { libc::uname(&raw mut names) };
    // SAFETY: glibc's own string, which stays.
    let glibc = unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) };
    let text = |name: &[libc::c_char]| {
        // SAFETY: the kernel ends its strings with NULs, and zeroes did before.
        unsafe { CStr::from_ptr(name.as_ptr()) }
            .to_string_lossy()
            .into_owned()
    };
    Finding::ok(
        "system",
        format!(
            "{} {} on {}, glibc {}",
            text(&names.sysname),
            text(&names.release),
            text(&names.machine),
            glibc.to_string_lossy()
        ),
    )
}

fn table(describes: &Description) -> Finding {
    if describes.cleared_by == "kernel" {
        return Finding::ok(
            "forks",
            "the kernel clears the guard's table in every forked child (MADV_WIPEONFORK)",
        );
    }
    Finding::warning(
        "forks",
        "the kernel refuses MADV_WIPEONFORK: children of fork are seen, and those of a raw clone \
         are not",
        "use a kernel from 4.14 on, or a sandbox that lets madvise through",
    )
}

/// What policies need of the kernel besides.
fn kernel() -> Findings {
    let mut found = Vec::new();
    // SAFETY: a C string; the descriptor is this function's.
    let memfd = unsafe { libc::memfd_create(c"forkguard-doctor".as_ptr(), libc::MFD_CLOEXEC) };
    if memfd < 0 {
        found.push(Finding::warning(
            "memfd",
            "memfd_create is refused here, by which exec passes on what a worker is to do: under \
             exec every fork stays a fork",
            "use a kernel from 3.17 on, or a seccomp profile that allows memfd_create",
        ));
    } else {
        // SAFETY: it was made above and given to nobody.
        unsafe { libc::close(memfd) };
    }
    if fs::read("/proc/self/maps").is_err() {
        found.push(Finding::warning(
            "/proc",
            "/proc is not mounted, or closed: revive and some of exec refuse, and reports name \
             fewer libraries",
            "mount it",
        ));
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let mut lines = status.lines().filter_map(|line| line.strip_prefix(name));
        lines.next().map(str::trim)
    };
    if field("Seccomp:").is_some_and(|mode| mode != "0") {
        found.push(Finding::ok(
            "seccomp",
            "a filter of system calls is in force (a container's); what the guard needs was tried",
        ));
    }
    if env::var_os("FORKGUARD_PYTHON").is_some() {
        found.push(Finding::ok("command", "started by python -m forkguard"));
    }
    found
}
