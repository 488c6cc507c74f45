//! What a process may do, and whether a program that it executes may do just that.
//!
//! A forked child has its parent's rights as they are. `execve` computes them anew: root that gave
//! capabilities up has them again, somebody who could become another user cannot any more. So a
//! fresh process stands for a fork only where that makes no difference. As the kernel tells it in
//! `/proc`: no allocation, no lock.

use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, Ordering};

use super::raw;
use crate::report::buffer::Buffer;

/// The calling thread.
const OWN: &CStr = c"/proc/thread-self/status";
/// More than the longest line that is read as numbers.
const LINE: usize = 128;
/// The variable by which a process that may not be looked into tells so to one that it executes.
pub const HIDDEN: &CStr = c"FORKGUARD_HIDDEN";
/// The same as an environment has it.
pub const HIDDEN_ENTRY: &CStr = c"FORKGUARD_HIDDEN=1";

/// What is asked of a process, in the order of `NAMES`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rights {
    /// Real, effective, saved, of files.
    user: [u64; 4],
    group: [u64; 4],
    /// Of the list of groups, which may be long.
    groups: u64,
    inheritable: u64,
    permitted: u64,
    effective: u64,
    bounding: u64,
    ambient: u64,
    no_new: u64,
    filtered: u64,
}

const NAMES: [&[u8]; 10] = [
    b"Uid",
    b"Gid",
    b"Groups",
    b"CapInh",
    b"CapPrm",
    b"CapEff",
    b"CapBnd",
    b"CapAmb",
    b"NoNewPrivs",
    b"Seccomp",
];

impl Rights {
    const NONE: Self = Self {
        user: [0; 4],
        group: [0; 4],
        groups: 0,
        inheritable: 0,
        permitted: 0,
        effective: 0,
        bounding: 0,
        ambient: 0,
        no_new: 0,
        filtered: 0,
    };

    /// Those of the calling thread, where the kernel tells.
    pub fn own() -> Option<Self> {
        Self::read(OWN)
    }

    /// Those of another process.
    pub fn of(pid: i32) -> Option<Self> {
        let mut room = [0; 64];
        let mut path = Buffer::new(&mut room);
        path.put(format_args!("/proc/{pid}/status\0"));
        Self::read(CStr::from_bytes_with_nul(path.finish()).ok()?)
    }

    fn read(path: &CStr) -> Option<Self> {
        let flags = libc::O_RDONLY | libc::O_CLOEXEC;
        // SAFETY: a C string and flags.
        let fd = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags) };
        if fd < 0 {
            return None;
        }
        let mut found = Found::NONE;
        let mut room = [0_u8; 512];
        loop {
            // SAFETY: room for as many bytes as are asked for.
            let got = unsafe { libc::syscall(libc::SYS_read, fd, room.as_mut_ptr(), room.len()) };
            match usize::try_from(got) {
                Ok(got @ 1..) => room[..got].iter().for_each(|&byte| found.take(byte)),
                Err(_) if raw::errno() == libc::EINTR => {}
                _ => break,
            }
        }
        // SAFETY: opened above.
        unsafe { libc::syscall(libc::SYS_close, fd) };
        found.rights()
    }

    /// Why a program that this process executes would have other rights than it has, if so.
    pub fn changed_by_execve(&self) -> Option<&'static str> {
        let same = |ids: &[u64; 4]| ids.iter().all(|id| *id == ids[0]);
        if !same(&self.user) || !same(&self.group) {
            return Some(
                "it has the rights of more than one user or group (setresuid), of which a fresh \
                 process would have one",
            );
        }
        // capabilities(7), for a file without capabilities of its own.
        let mut permitted = self.ambient;
        if self.user[0] == 0 {
            permitted |= self.inheritable | self.bounding;
        }
        if self.no_new != 0 {
            permitted &= self.permitted;
        }
        (self.permitted != permitted || self.effective != permitted).then_some(
            "its capabilities are not those that a fresh process would have, which gets root's \
             again, or none",
        )
    }
}

/// A status file, byte by byte.
struct Found {
    rights: Rights,
    line: [u8; LINE],
    len: usize,
    hash: u64,
    /// Which of [`NAMES`] were there.
    seen: u16,
}

const FNV: u64 = 0xcbf2_9ce4_8422_2325;

impl Found {
    const NONE: Self = Self {
        rights: Rights::NONE,
        line: [0; LINE],
        len: 0,
        hash: FNV,
        seen: 0,
    };

    fn take(&mut self, byte: u8) {
        if byte == b'\n' {
            self.end();
            (self.len, self.hash) = (0, FNV);
            return;
        }
        if let Some(place) = self.line.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
        self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }

    fn end(&mut self) {
        let mut parts = self.line[..self.len].splitn(2, |&byte| byte == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
            return;
        };
        let Some(which) = NAMES.iter().position(|known| *known == name) else {
            return;
        };
        let words = || {
            value
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty())
        };
        let number = |word: &[u8], base| {
            core::str::from_utf8(word)
                .ok()
                .and_then(|digits| u64::from_str_radix(digits, base).ok())
        };
        let mut ids = [0; 4];
        let mut count = 0;
        for (place, word) in ids.iter_mut().zip(words()) {
            let Some(id) = number(word, 10) else { break };
            *place = id;
            count += 1;
        }
        let mask = words().next().and_then(|word| number(word, 16));
        let whole = match which {
            0 | 1 => count == 4,
            2 => true,
            _ => mask.is_some(),
        };
        if !whole {
            return;
        }
        let mask = mask.unwrap_or_default();
        let rights = &mut self.rights;
        match which {
            0 => rights.user = ids,
            1 => rights.group = ids,
            2 => rights.groups = self.hash,
            3 => rights.inheritable = mask,
            4 => rights.permitted = mask,
            5 => rights.effective = mask,
            6 => rights.bounding = mask,
            7 => rights.ambient = mask,
            8 => rights.no_new = mask,
            _ => rights.filtered = mask,
        }
        self.seen |= 1 << which;
    }

    /// `None` where a line was not there; kernels built without seccomp have none for it.
    fn rights(&self) -> Option<Rights> {
        const WITHOUT_SECCOMP: u16 = (1 << (NAMES.len() - 1)) - 1;
        (self.seen & WITHOUT_SECCOMP == WITHOUT_SECCOMP).then_some(self.rights)
    }
}

/// Why no fresh process may stand for a fork of this one, whatever it is to do.
pub fn differ_after_execve() -> Option<&'static str> {
    // SAFETY: reads a table that the kernel made.
    if unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
        return Some("it has another user's rights, which a fresh process would not start with");
    }
    match Rights::own() {
        Some(rights) => rights.changed_by_execve(),
        None => Some("what it may do cannot be read in /proc"),
    }
}

/// Whether others of this user may not look into this process (`PR_SET_DUMPABLE`): it has changed
/// its user, or wants it so. What `execve` makes may be looked into again.
pub fn is_hidden() -> bool {
    // SAFETY: asks for a number.
    let dumpable = unsafe { libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0) };
    dumpable == 0 || dumpable == 2
}

/// This process may not be looked into from here on.
pub fn hide() {
    // SAFETY: numbers.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
}

/// At load: hides this process where the one that executed it was hidden.
pub fn prepare() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if DONE.swap(true, Ordering::Relaxed) {
        return;
    }
    // SAFETY: the constructor, says the caller.
    if unsafe { super::environment::take(HIDDEN) }.is_some() {
        hide();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(user: &str, capabilities: [&str; 5], no_new: u8) -> Option<Rights> {
        let [inheritable, permitted, effective, bounding, ambient] = capabilities;
        let text = format!(
            "Name:\tpython: 3\nUid:\t{user}\nGid:\t5\t5\t5\t5\nGroups:\t5 6 \nCapInh:\t{inheritable}\n\
             CapPrm:\t{permitted}\nCapEff:\t{effective}\nCapBnd:\t{bounding}\nCapAmb:\t{ambient}\n\
             NoNewPrivs:\t{no_new}\nSeccomp:\t0\nSeccomp_filters:\t0\n"
        );
        let mut found = Found::NONE;
        text.bytes().for_each(|byte| found.take(byte));
        found.rights()
    }

    const ROOT: &str = "0\t0\t0\t0";
    const USER: &str = "1000\t1000\t1000\t1000";
    const FULL: &str = "000001ffffffffff";
    const SOME: &str = "00000000a80425fb";
    const NONE: &str = "0000000000000000";

    #[test]
    fn usual_processes_keep_what_they_have() {
        for (user, capabilities) in [
            (ROOT, [NONE, FULL, FULL, FULL, NONE]),
            // A container's root, with and without inheritable ones.
            (ROOT, [NONE, SOME, SOME, SOME, NONE]),
            (ROOT, [SOME, SOME, SOME, SOME, NONE]),
            (USER, [NONE, NONE, NONE, FULL, NONE]),
            (USER, [NONE, NONE, NONE, NONE, NONE]),
            // A service with AmbientCapabilities.
            (USER, [SOME, SOME, SOME, SOME, SOME]),
        ] {
            let rights = read(user, capabilities, 0).unwrap();
            assert_eq!(rights.changed_by_execve(), None, "{rights:?}");
        }
        let rights = Rights::own().unwrap();
        assert_eq!(rights.changed_by_execve(), None, "{rights:?}");
        assert_eq!(Rights::of(raw::getpid()), Some(rights));
    }

    #[test]
    fn what_an_execve_would_change_is_seen() {
        for (user, capabilities) in [
            (ROOT, [NONE, NONE, NONE, FULL, NONE]),
            (ROOT, [NONE, FULL, NONE, FULL, NONE]),
            (USER, [NONE, FULL, NONE, FULL, NONE]),
        ] {
            let rights = read(user, capabilities, 0).unwrap();
            assert!(rights.changed_by_execve().is_some(), "{rights:?}");
        }
        // The kernel gives nothing back to who asked for that.
        let rights = read(ROOT, [NONE, NONE, NONE, FULL, NONE], 1).unwrap();
        assert_eq!(rights.changed_by_execve(), None);
        for ids in ["0\t1000\t0\t1000", "1000\t1000\t0\t1000"] {
            let rights = read(ids, [NONE, NONE, NONE, FULL, NONE], 0).unwrap();
            assert!(
                rights
                    .changed_by_execve()
                    .unwrap()
                    .contains("more than one user")
            );
        }
    }

    #[test]
    fn what_is_not_told_is_not_guessed() {
        assert_eq!(read("0\t0\t0", [NONE, FULL, FULL, FULL, NONE], 0), None);
        assert_eq!(read(ROOT, ["x", FULL, FULL, FULL, NONE], 0), None);
        let differ = |one: &str, two: &str| {
            read(one, [NONE; 5], 0).unwrap() != read(two, [NONE; 5], 0).unwrap()
        };
        assert!(differ(ROOT, USER) && !differ(USER, USER));
    }
}
