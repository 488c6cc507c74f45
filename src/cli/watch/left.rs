//! Processes of a program that go on after its end: what they do from then on nobody sees.
//!
//! They are known by the file that they were given to tell what they do; nothing is asked of them.

use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::TOLD_BY;
use crate::event::plain;
use crate::ps::patience::Patience;
use crate::ps::proc;

/// How long they may take to end: helpers do so when they see that their program has.
const PATIENCE: Duration = Duration::from_secs(1);
/// Those that are named.
const NAMED: usize = 3;

/// A process that goes on.
pub struct Left {
    /// Its number.
    pub pid: i32,
    name: String,
}

/// Those that tell what they do in this file, once they had their time to end.
pub fn behind(file: &Path) -> Vec<Left> {
    let entry = [TOLD_BY.as_bytes(), b"=", file.as_os_str().as_bytes()].concat();
    let until = Instant::now() + PATIENCE;
    loop {
        let left = running(&entry);
        let time = until.saturating_duration_since(Instant::now());
        match left.first() {
            Some(first) if !time.is_zero() && wait(first.pid, time) => {}
            _ => return left,
        }
    }
}

/// The processes that have this entry in the environment that they were started with: this user's, and
/// for root everybody's, for root's program may go on as another user.
fn running(entry: &[u8]) -> Vec<Left> {
    // SAFETY: takes nothing and cannot fail.
    let user = unsafe { libc::geteuid() };
    let ours = |pid: &i32| fs::metadata(proc::path(*pid, "")).is_ok_and(|data| data.uid() == user);
    let entry = entry.to_vec();
    let has = move |pid: &i32| {
        let environment = proc::read(*pid, "environ")?;
        let has = environment.split(|&byte| byte == 0).any(|at| at == entry);
        has.then_some(*pid)
    };
    let mut pids = proc::pids().unwrap_or_default();
    pids.retain(|pid| user == 0 || ours(pid));
    let found = Patience::new().each(pids, has).into_iter().flatten();
    found
        .map(|pid| {
            let name = fs::read(proc::path(pid, "comm")).unwrap_or_default();
            let name = plain(String::from_utf8_lossy(&name).trim_end());
            Left { pid, name }
        })
        .collect()
}

/// Waits until the process has ended, or so long. False where this kernel cannot wait for it.
fn wait(pid: i32, time: Duration) -> bool {
    // SAFETY: takes two numbers.
    let opened = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let Some(fd) = i32::try_from(opened).ok().filter(|&fd| fd >= 0) else {
        // It may be gone already.
        return std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH);
    };
    // SAFETY: the kernel has just given it to us.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut ended = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let time = i32::try_from(time.as_millis() + 1).unwrap_or(i32::MAX);
    // SAFETY: one entry, which is ours.
    unsafe { libc::poll(&raw mut ended, 1, time) };
    true
}

/// What is said of them.
pub fn sentence(left: &[Left]) -> Option<String> {
    let named: Vec<String> = left
        .iter()
        .take(NAMED)
        .map(|left| format!("{} ({})", left.pid, left.name))
        .collect();
    let named = named.join(", ");
    match left.len() {
        0 => None,
        1 => Some(format!(
            "pid {named}, which the program started, goes on, and is no longer watched"
        )),
        count => {
            let more = if count > NAMED { ", …" } else { "" };
            Some(format!(
                "{count} processes that the program started go on, and are no longer watched: pids \
                 {named}{more}"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_named() {
        let left: Vec<Left> = (1..=4)
            .map(|pid| Left {
                pid,
                name: "sh".to_owned(),
            })
            .collect();
        assert_eq!(sentence(&left[..0]), None);
        for (count, said) in [
            (
                1,
                "pid 1 (sh), which the program started, goes on, and is no longer watched",
            ),
            (
                3,
                "3 processes that the program started go on, and are no longer watched: pids \
                 1 (sh), 2 (sh), 3 (sh)",
            ),
            (
                4,
                "4 processes that the program started go on, and are no longer watched: pids \
                 1 (sh), 2 (sh), 3 (sh), …",
            ),
        ] {
            assert_eq!(sentence(&left[..count]).as_deref(), Some(said));
        }
    }
}
