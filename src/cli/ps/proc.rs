//! What `/proc` says of a process.
//!
//! A process may vanish at any time: then there is nothing, and no error. What needs the memory map
//! of the other process is read with patience: a process that is stuck in the kernel holds it, and
//! whoever reads would be stuck, too.

use std::cell::Cell;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// A process that is only the kernel's.
const KERNEL_THREAD: u64 = 0x0020_0000;
/// How long one process is waited for, and all of them together.
const PATIENCE: Duration = Duration::from_millis(500);
const ALL_PATIENCE: Duration = Duration::from_secs(3);

/// A process, as everybody may see it.
pub struct Process {
    /// Its number here.
    pub pid: i32,
    /// Its number in its own pid namespace.
    pub inner: i32,
    /// Its numbers in all that are seen from here, from outside to inside.
    pub numbers: Vec<i32>,
    /// Its parent's number here.
    pub parent: i32,
    /// Whose it is.
    pub uid: u32,
    /// The inode of that namespace, where it may be known.
    pub namespace: Option<u64>,
    /// It began in the tick of the kernel's clock that begins at this time, in nanoseconds since the
    /// machine was started.
    pub began_ns: u64,
    /// The kernel's name for it.
    pub name: String,
}

/// Nanoseconds of the kernel's tick, in which it gives times.
pub fn tick() -> u64 {
    // SAFETY: asks for a constant of this system.
    let a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    1_000_000_000 / u64::try_from(a_second).unwrap_or(100).max(1)
}

/// The numbers of all processes that may be seen.
pub fn pids() -> io::Result<Vec<i32>> {
    let mut pids: Vec<i32> = fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    Ok(pids)
}

/// Whether other users' processes are not to be seen here at all (hidepid): there is always a first
/// one, and it is seldom one's own.
pub fn hides_others() -> bool {
    fs::metadata(path(1, "stat")).is_err()
}

/// A process that is there, has memory, and has not ended.
pub fn process(pid: i32) -> Option<Process> {
    let stat = fs::read(path(pid, "stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name may hold anything, parentheses too.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let number = |index: usize| fields.get(index)?.trim_end().parse::<u64>().ok();
    let ended = matches!(*fields.first()?, "Z" | "X");
    if ended || number(6)? & KERNEL_THREAD != 0 {
        return None;
    }
    let status = fs::read(path(pid, "status")).ok()?;
    let status = String::from_utf8_lossy(&status);
    let line = |name: &str| {
        let mut lines = status.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
    };
    let uids = line("Uid")?;
    let numbers: Vec<i32> = line("NSpid")
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect();
    Some(Process {
        pid,
        inner: numbers.last().copied().unwrap_or(pid),
        numbers,
        namespace: fs::metadata(path(pid, "ns/pid"))
            .ok()
            .map(|about| about.ino()),
        parent: line("PPid")?.trim().parse().ok()?,
        // The effective one, by which the kernel judges.
        uid: uids.split_whitespace().nth(1)?.parse().ok()?,
        began_ns: number(19)?.saturating_mul(tick()),
        name: line("Name")?.trim().to_owned(),
    })
}

/// A file of the process's.
pub fn path(pid: i32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{name}"))
}

/// Waits for what may not answer, but not for ever.
pub struct Patience(Cell<Duration>);

impl Patience {
    /// All of it.
    pub fn new() -> Self {
        Self(Cell::new(ALL_PATIENCE))
    }

    /// A file of the process's that takes its memory map to be read.
    pub fn read(&self, pid: i32, name: &str) -> Option<Vec<u8>> {
        let path = path(pid, name);
        self.wait(move || fs::read(path).ok())
    }

    /// What `ask` answers, unless it does not.
    pub fn wait<T: Send + 'static>(
        &self,
        ask: impl FnOnce() -> Option<T> + Send + 'static,
    ) -> Option<T> {
        let (tell, answer) = mpsc::channel();
        let began = Instant::now();
        let started = thread::Builder::new().spawn(move || {
            // Nobody listens any more where it took too long.
            let _ = tell.send(ask());
        });
        started.ok()?;
        let got = answer.recv_timeout(PATIENCE.min(self.0.get()));
        if got.is_err() {
            self.0.set(self.0.get().saturating_sub(began.elapsed()));
        }
        got.ok().flatten()
    }
}

/// The words it was started with; the kernel's name where it has none.
pub fn command(process: &Process, patience: &Patience) -> String {
    let words = patience.read(process.pid, "cmdline").unwrap_or_default();
    let words = words.strip_suffix(b"\0").unwrap_or(&words);
    if words.is_empty() {
        return format!("[{}]", process.name);
    }
    String::from_utf8_lossy(words).replace('\0', " ")
}

/// The directory it works in.
pub fn directory(pid: i32) -> Option<String> {
    let directory = fs::read_link(path(pid, "cwd")).ok()?;
    directory.into_os_string().into_string().ok()
}

/// The user's name, or the number where there is none.
pub fn user(uid: u32) -> String {
    let mut room = vec![0_u8; 16 * 1024];
    // SAFETY: plain numbers and pointers, for which zero is a value.
    let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
    let mut found = std::ptr::null_mut();
    // SAFETY: the answer has its places, and its texts lie in `room`.
    let name = unsafe {
        let failed = libc::getpwuid_r(
            uid,
            &raw mut entry,
            room.as_mut_ptr().cast(),
            room.len(),
            &raw mut found,
        );
        let known = failed == 0 && !found.is_null() && !entry.pw_name.is_null();
        known.then(|| std::ffi::CStr::from_ptr(entry.pw_name).to_string_lossy())
    };
    name.map_or_else(|| uid.to_string(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen() {
        let pid = std::process::id().cast_signed();
        assert!(pids().unwrap().contains(&pid));
        let process = process(pid).unwrap();
        assert_eq!(
            process.parent,
            std::os::unix::process::parent_id().cast_signed()
        );
        // SAFETY: takes nothing and cannot fail.
        assert_eq!(process.uid, unsafe { libc::geteuid() });
        assert!(process.began_ns > 0);
        assert!(command(&process, &Patience::new()).contains("forkguard"));
    }

    #[test]
    fn who_does_not_answer_is_not_waited_for() {
        let patience = Patience::new();
        let (keep, silent) = mpsc::channel::<()>();
        let got: Option<()> = patience.wait(move || silent.recv().ok());
        assert_eq!(got, None);
        assert!(patience.0.get() + PATIENCE <= ALL_PATIENCE);
        assert_eq!(patience.wait(|| Some(7)), Some(7));
        drop(keep);
    }
}
