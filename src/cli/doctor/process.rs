//! A process that runs: whether the guard is in it, and if not, why. It is not stopped, and not
//! asked: all is read from `/proc`.

mod cuda;
mod proc;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::finding::Finding;
use super::{Findings, machine, preloads};
use crate::elf::Elf;
use crate::event::plain;
use crate::inside::{self, Description, Question};
use crate::preload;
use crate::program::{Hindrance, Program};
use crate::ps::proc::hides_others;
use crate::trouble::{Trouble, reason};
use machine::Guard;
use proc::{Mapped, Process};

const SUBJECT: &str = "guard";
/// Nothing can be said of it.
const UNKNOWN: u8 = 2;
/// Of many children, those that are named.
const NAMED: usize = 5;

/// All there is to say of the process.
pub fn look(pid: i32, named: Option<&Path>) -> Result<Findings, Trouble> {
    let process = Process(pid);
    check(process)?;
    let mapped = process.mapped().map_err(|error| unreadable(pid, &error))?;
    let environment = process
        .environment()
        .map_err(|error| unreadable(pid, &error))?;
    let (mut found, guard) = machine::guard(named);
    found.push(itself(process));
    let guards: Vec<&Mapped> = mapped
        .iter()
        .filter(|mapped| preload::is_guard(&mapped.path))
        .collect();
    if guards.is_empty() {
        found.push(absent(process, &environment, guard.as_ref()));
    } else {
        found.extend(present(process, &guards, &environment, guard.as_ref()));
        let (cuda, is_in_use) = cuda::of(process).unzip();
        found.extend(cuda);
        found.extend(settings(process, &environment, guard.as_ref()));
        found.extend(table(process, is_in_use.unwrap_or(true)));
        found.extend(children(process));
    }
    found.extend(driver(process, &mapped));
    let known = mapped
        .iter()
        .filter_map(|mapped| preloads::other(&mapped.path));
    found.extend(known);
    // It may have ended meanwhile, and half of this be another's.
    check(process)?;
    Ok(found)
}

/// Whether there is something to look at.
fn check(process: Process) -> Result<(), Trouble> {
    let pid = process.0;
    let trouble = |why: String| Err(Trouble::new(UNKNOWN, why));
    let stat = match process.stat() {
        Ok(stat) => stat,
        Err(_) if !Path::new("/proc/self").exists() => {
            return trouble("no process can be looked at: /proc is not mounted".to_owned());
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && hides_others() => {
            return trouble(format!(
                "there is no process {pid}, or it is another user's, which /proc hides here; run \
                 forkguard doctor as root"
            ));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound || is_gone(&error) => {
            return trouble(format!("there is no process {pid}"));
        }
        Err(error) => return Err(unreadable(pid, &error)),
    };
    if stat.is_kernels {
        return trouble(format!("{pid} is a thread of the kernel, and no program"));
    }
    if matches!(stat.state, 'Z' | 'X') {
        return trouble(format!(
            "process {pid} has ended; its parent, {}, has not waited for it yet",
            stat.parent
        ));
    }
    let leader = process.status("Tgid").unwrap_or_default();
    if !leader.is_empty() && leader != pid.to_string() {
        return trouble(format!(
            "{pid} is a thread of process {leader}: look at that"
        ));
    }
    Ok(())
}

fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ESRCH)
}

fn unreadable(pid: i32, error: &io::Error) -> Trouble {
    let why = match error.kind() {
        io::ErrorKind::NotFound => format!("there is no process {pid}"),
        _ if is_gone(error) => format!("there is no process {pid}"),
        // SAFETY: takes nothing and cannot fail.
        io::ErrorKind::PermissionDenied if unsafe { libc::geteuid() } == 0 => {
            format!("process {pid} cannot be looked at: it is protected from root, too")
        }
        io::ErrorKind::PermissionDenied => format!(
            "process {pid} cannot be looked at: it is another user's, or runs with other rights; \
             run forkguard doctor as root"
        ),
        io::ErrorKind::TimedOut => format!(
            "process {pid} cannot be looked at: the kernel does not tell of its memory, in which it \
             seems to be stuck"
        ),
        _ => format!("process {pid} cannot be looked at: {}", reason(error)),
    };
    Trouble::new(UNKNOWN, why)
}

/// What it is, and since when.
fn itself(process: Process) -> Finding {
    let executable = process.executable().unwrap_or_default();
    let seconds = process.stat().ok().and_then(|stat| age(stat.started));
    let since = seconds.map_or(String::new(), |seconds| format!(", for {}", spell(seconds)));
    let inside = process.status("NSpid").unwrap_or_default();
    let inside = match inside.split_whitespace().collect::<Vec<_>>()[..] {
        [_, .., own] => format!(", number {own} in its container"),
        _ => String::new(),
    };
    let filter = match process.status("Seccomp").as_deref() {
        None | Some("0") => "",
        Some(_) => ", under a filter of system calls (seccomp)",
    };
    Finding::ok(
        "process",
        format!(
            "{} {}, {}{since}{inside}{filter}",
            process.0,
            process.name(),
            executable.display()
        ),
    )
}

/// Seconds since a time in clock ticks since the machine was started.
fn age(ticks: u64) -> Option<u64> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    let up = text.split(['.', ' ']).next()?.parse::<u64>().ok()?;
    // SAFETY: takes a number and cannot fail for this one.
    let each = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Some(up.saturating_sub(ticks / u64::try_from(each).ok().filter(|&each| each > 0)?))
}

fn spell(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86400),
    }
}

fn variable<'a>(environment: &'a [(OsString, OsString)], name: &str) -> Option<&'a OsString> {
    let mut found = environment.iter().filter(|(known, _)| known == name);
    found.next().map(|(_, value)| value)
}

/// The entries of its `LD_PRELOAD` that name a guard.
fn asked_for(environment: &[(OsString, OsString)]) -> Vec<PathBuf> {
    let value = variable(environment, preload::VARIABLE);
    let paths = value.into_iter().flat_map(|value| preload::entries(value));
    paths
        .filter(|path| preload::is_guard(path))
        .map(Path::to_owned)
        .collect()
}

/// A guard is in it: which, and how it came there.
fn present(
    process: Process,
    guards: &[&Mapped],
    environment: &[(OsString, OsString)],
    ours: Option<&Guard>,
) -> Findings {
    let mut found = Vec::new();
    let build = |path: &Path| Elf::read(path).ok().flatten().and_then(|elf| elf.build_id);
    let our_build = ours.and_then(|guard| build(&guard.library));
    for guard in guards {
        let place = guard.path.display();
        if guard.deleted {
            found.push(Finding::warning(
                SUBJECT,
                format!(
                    "{place} is in it, and was replaced or removed since: what it starts has \
                     another guard, or none"
                ),
                "start the program again after an upgrade",
            ));
            continue;
        }
        let its_build = build(&process.seen_from_here(&guard.path));
        found.push(match (&its_build, &our_build) {
            (Some(its), Some(ours)) if its != ours => Finding::warning(
                SUBJECT,
                format!("{place} is in it, another build than the one that came with this command"),
                "install both together, and start the program again",
            ),
            _ => Finding::ok(SUBJECT, format!("{place} is in it")),
        });
    }
    if guards.len() > 1 {
        found.push(Finding::problem(
            SUBJECT,
            "two guards are in it, and both would report",
            "leave one of them in LD_PRELOAD and /etc/ld.so.preload",
        ));
    }
    let everywhere = fs::read(process.seen_from_here(Path::new(preload::SYSTEM_WIDE)));
    let everywhere = everywhere.is_ok_and(|text| {
        let name = preload::GUARD.as_bytes();
        text.windows(name.len()).any(|window| window == name)
    });
    if asked_for(environment).is_empty() && !everywhere {
        found.push(Finding::warning(
            SUBJECT,
            "it was not preloaded: the program, or one of its libraries, loaded it later, and what \
             was linked before is not seen",
            "start the program with forkguard run",
        ));
    }
    found
}

/// No guard is in it: why not.
fn absent(process: Process, environment: &[(OsString, OsString)], ours: Option<&Guard>) -> Finding {
    const RUN: &str = "start it with forkguard run; a process that runs cannot be given the guard";
    let asked = asked_for(environment);
    let Some(path) = asked.first() else {
        return Finding::problem(SUBJECT, "it was started without the guard", RUN);
    };
    let place = path.display();
    let executable = process.file("exe");
    let program = Program {
        path: executable.clone(),
        elf: Elf::read(&executable).ok().flatten(),
        scripts: Vec::new(),
        trouble: None,
        cleared_by: None,
    };
    let seen = process.seen_from_here(path);
    let library = Elf::read(&seen).ok().flatten();
    let library = library.or_else(|| Elf::read(&ours?.library).ok().flatten());
    // With which rights it runs, it says itself.
    let hindrance = program
        .hindrance(library.as_ref())
        .filter(|hindrance| !matches!(hindrance, Hindrance::OtherRights(_)));
    if process.is_secure() {
        return Finding::problem(
            SUBJECT,
            "LD_PRELOAD names it, and the loader ignored that: the program was started with other \
             rights than its caller's (setuid, setgid, capabilities)",
            "name the library in /etc/ld.so.preload, which holds for such programs, too",
        );
    }
    if let Some(hindrance) = hindrance {
        return Finding::problem(
            SUBJECT,
            format!("LD_PRELOAD names it, and the program {hindrance}"),
            hindrance.advice(),
        );
    }
    if !seen.exists() {
        return Finding::problem(
            SUBJECT,
            format!("LD_PRELOAD names {place}, which is not there, where the process looks"),
            "put the library there (in a container: into its image or a volume), and start it again",
        );
    }
    Finding::problem(
        SUBJECT,
        format!("LD_PRELOAD names {place}, and it is not in the process"),
        "see what the loader said on the program's stderr when it was started",
    )
}

/// What is in force in it, as its environment and this machine's configuration have it.
fn settings(
    process: Process,
    environment: &[(OsString, OsString)],
    guard: Option<&Guard>,
) -> Option<Finding> {
    const SUBJECT: &str = "settings";
    let guard = guard?;
    if !process.has_our_mounts() {
        let policy = variable(environment, "FORKGUARD_POLICY");
        let policy = policy.map_or("its default or its configuration's".into(), |policy| {
            policy.to_string_lossy()
        });
        return Some(Finding::ok(
            SUBJECT,
            format!(
                "policy by its environment: {policy}; a configuration file of its container's may \
                 say otherwise"
            ),
        ));
    }
    let is_ours = |name: &OsString| name.to_string_lossy().starts_with("FORKGUARD_");
    let answered = inside::ask::<Description>(&guard.library, Question::Describe, |command| {
        let here = std::env::vars_os().map(|(name, _)| name);
        for name in here.filter(is_ours) {
            command.env_remove(name);
        }
        command.envs(
            environment
                .iter()
                .filter(|(name, _)| is_ours(name))
                .cloned(),
        );
    });
    let describes = answered.ok()?.answer;
    let chain = describes.policy.join(",");
    let source = &describes.setting("FORKGUARD_POLICY")?.source;
    Some(if describes.off {
        Finding::warning(
            SUBJECT,
            format!("policy {chain} ({source}): nothing is intercepted"),
            "start it with another FORKGUARD_POLICY",
        )
    } else {
        Finding::ok(SUBJECT, format!("policy {chain} ({source})"))
    })
}

/// Whether the kernel clears its table in forked children: a mapping is marked so, from the first
/// lookup or call of the driver's on.
fn table(process: Process, is_in_use: bool) -> Option<Finding> {
    let text = process.read("smaps").ok()?;
    let text = String::from_utf8_lossy(&text);
    let mut flags = text
        .lines()
        .filter_map(|line| line.strip_prefix("VmFlags:"));
    let marked = flags.any(|flags| flags.split_whitespace().any(|flag| flag == "wf"));
    Some(if marked {
        Finding::ok(
            "forks",
            "the kernel clears the guard's table in its forked children (MADV_WIPEONFORK)",
        )
    } else if !is_in_use {
        Finding::ok(
            "forks",
            "the guard's table is not in use yet; from the first call of the driver on the kernel is \
             to clear it in forked children (MADV_WIPEONFORK)",
        )
    } else {
        Finding::warning(
            "forks",
            "the kernel does not clear the guard's table in its forked children: those of a raw \
             clone are not seen",
            "use a kernel from 4.14 on, or a sandbox that lets madvise through",
        )
    })
}

/// Children that have no guard in them.
fn children(process: Process) -> Option<Finding> {
    let mut known = 0;
    let mut without = Vec::new();
    for child in process.children() {
        let Ok(mapped) = child.mapped() else {
            continue;
        };
        // One that has ended has nothing mapped.
        if mapped.is_empty() {
            continue;
        }
        known += 1;
        if !mapped.iter().any(|mapped| preload::is_guard(&mapped.path)) {
            without.push(format!("{} ({})", child.0, plain(&child.name())));
        }
    }
    if known == 0 {
        return None;
    }
    if without.is_empty() {
        return Some(Finding::ok(
            "children",
            format!("{known}, all with the guard"),
        ));
    }
    let more = without.len().saturating_sub(NAMED);
    let count = without.len();
    without.truncate(NAMED);
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    Some(Finding::warning(
        "children",
        format!(
            "{count} of {known} are without the guard: {}{rest}",
            without.join(", ")
        ),
        "forkguard doctor PID says of each why",
    ))
}

/// Whether it has the driver, and how its libraries come to it.
fn driver(process: Process, mapped: &[Mapped]) -> Option<Finding> {
    let is_driver = |mapped: &&Mapped| {
        let name = mapped.path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("libcuda.so"))
    };
    let driver = mapped.iter().find(is_driver)?;
    let linked: Vec<String> = mapped
        .iter()
        .filter(|mapped| {
            let elf = Elf::read(&process.seen_from_here(&mapped.path))
                .ok()
                .flatten();
            elf.is_some_and(|elf| elf.needed.iter().any(|name| name.starts_with("libcuda.so")))
        })
        .map(|mapped| mapped.path.display().to_string())
        .collect();
    let linked = if linked.is_empty() {
        String::new()
    } else {
        format!(
            "; linked with it: {}, whose calls are seen unless the program opened it with \
             RTLD_DEEPBIND",
            linked.join(", ")
        )
    };
    Some(Finding::ok(
        "driver",
        format!("{} is in it{linked}", driver.path.display()),
    ))
}
