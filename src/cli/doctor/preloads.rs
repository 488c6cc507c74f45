//! What else stands between programs and the driver, by the files' names, and whether the guard is
//! there itself.

use std::env;
use std::path::{Path, PathBuf};

use super::Findings;
use super::finding::Finding;
use super::machine::Guard;
use crate::preload;

const SUBJECT: &str = "preloaded";

/// Libraries that are preloaded elsewhere, by the beginning of their file names: what they are, and
/// what that means beside the guard.
const KNOWN: [(&str, &str, Beside); 13] = [
    ("libvgpu.so", "HAMi's limits of GPU memory", Beside::Driver),
    (
        "libvgpu-control.so",
        "vgpu-manager's limits",
        Beside::Driver,
    ),
    ("libcuda-control.so", "vcuda's limits", Beside::Driver),
    ("libnvshare.so", "nvshare", Beside::Driver),
    ("libmirrord", "mirrord", Beside::Lookups),
    ("libasan.so", "the address sanitizer", Beside::First),
    ("libtsan.so", "the thread sanitizer", Beside::First),
    ("libjemalloc", "jemalloc", Beside::Nothing),
    ("libtcmalloc", "tcmalloc", Beside::Nothing),
    ("libmimalloc", "mimalloc", Beside::Nothing),
    ("libstdbuf.so", "stdbuf", Beside::Nothing),
    ("libfakeroot", "fakeroot", Beside::Nothing),
    ("libproxychains", "proxychains", Beside::Nothing),
];

/// What a library means for the guard.
#[derive(Clone, Copy)]
enum Beside {
    /// It hands out driver functions of its own.
    Driver,
    /// It stands before the same functions of the C library.
    Lookups,
    /// It will not run but as the first.
    First,
    /// They do not meet.
    Nothing,
}

/// What this environment has preloaded, and the machine.
pub fn of_environment(guard: Option<&Guard>) -> Findings {
    let mut found = Vec::new();
    let library = guard.map(|guard| &*guard.library);
    let here = env::var_os(preload::VARIABLE).unwrap_or_default();
    let here: Vec<PathBuf> = preload::entries(&here).map(Path::to_owned).collect();
    let everywhere = preload::system_wide();
    found.extend(guards(&here, &everywhere, library));
    let mut others: Vec<&PathBuf> = here.iter().chain(&everywhere).collect();
    others.dedup();
    found.extend(others.into_iter().filter_map(|path| other(path)));
    // What the loader could not preload it says, and goes on without.
    let complaints = guard.map_or(&[][..], |guard| &guard.said);
    let ignored = complaints
        .iter()
        .filter_map(|line| line.strip_prefix("ERROR: ld.so: "));
    found.extend(ignored.map(|line| {
        Finding::warning(
            SUBJECT,
            format!("the loader says: {line}"),
            "take it out of LD_PRELOAD (or /etc/ld.so.preload), or put the file there",
        )
    }));
    if let Some(path) = env::var_os("CUDA_INJECTION64_PATH").filter(|path| !path.is_empty()) {
        found.push(Finding::warning(
            "injected",
            format!(
                "the driver loads {} into every program that uses CUDA (CUDA_INJECTION64_PATH), as \
                 profilers do; what that calls of the driver by tables of its own is not seen",
                path.to_string_lossy()
            ),
            "unset CUDA_INJECTION64_PATH where nothing is profiled",
        ));
    }
    found
}

/// Whether, and how often, a guard is there.
fn guards(here: &[PathBuf], everywhere: &[PathBuf], library: Option<&Path>) -> Findings {
    let mut found = Vec::new();
    let mut files = Vec::new();
    for (list, paths) in [
        (preload::VARIABLE, here),
        (preload::SYSTEM_WIDE, everywhere),
    ] {
        for path in paths.iter().filter(|path| preload::is_guard(path)) {
            let place = path.display();
            let Ok(file) = path.canonicalize() else {
                found.push(Finding::problem(
                    SUBJECT,
                    format!(
                        "{list} names {place}, which is not there: programs run unguarded, and \
                         the loader only says so"
                    ),
                    &format!("put the library there, or take it out of {list}"),
                ));
                continue;
            };
            if !files.contains(&file) {
                files.push(file);
                found.push(Finding::ok(
                    SUBJECT,
                    format!("the guard, {place}, by {list}"),
                ));
            }
        }
    }
    if files.len() > 1 {
        found.push(Finding::problem(
            SUBJECT,
            "two guards are preloaded, and both would report",
            "leave one of them",
        ));
    } else if let ([file], Some(library)) = (&files[..], library)
        && library.canonicalize().is_ok_and(|ours| ours != *file)
    {
        found.push(Finding::warning(
            SUBJECT,
            format!(
                "that guard is not the one that came with this command, {}",
                library.display()
            ),
            "install one of them everywhere",
        ));
    }
    if files.is_empty() && found.is_empty() {
        let how = library.map_or(String::new(), |path| {
            format!(", or with LD_PRELOAD={}", path.display())
        });
        found.push(Finding::ok(
            SUBJECT,
            format!("no guard in this environment: programs have it by forkguard run{how}"),
        ));
    }
    found
}

/// Another library that stands there, if it is known.
pub fn other(path: &Path) -> Option<Finding> {
    let name = path.file_name()?.to_str()?;
    let (_, what, beside) = KNOWN.iter().find(|(begin, ..)| name.starts_with(begin))?;
    let place = path.display();
    Some(match beside {
        Beside::Nothing => Finding::ok(SUBJECT, format!("{what}, {place}")),
        Beside::Driver => Finding::warning(
            SUBJECT,
            format!(
                "{what}, {place}, hands out driver functions of its own: which of them the guard \
                 sees hangs on the order of the two"
            ),
            "let the guard be the first in LD_PRELOAD, as forkguard run makes it",
        ),
        Beside::Lookups => Finding::warning(
            SUBJECT,
            format!("{what}, {place}, stands before functions that the guard stands before, too"),
            "run the program without it to see whether a report is the guard's own doing",
        ),
        Beside::First => Finding::warning(
            SUBJECT,
            format!("{what}, {place}, runs only as the first in LD_PRELOAD"),
            "keep it before the guard, as forkguard run does",
        ),
    })
}
