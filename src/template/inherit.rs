//! What a forked child would have of the thread that forks it, beside memory and files: taken in
//! the program, put on in the worker.

use core::mem::{MaybeUninit, size_of};

use crate::sys::{raw, rights};

const LIMITS: usize = 16;
/// `IOPRIO_WHO_PROCESS`.
const THREAD: i32 = 1;

/// Crosses as it lies in memory: both ends are this very library.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Inherited {
    limits: [libc::rlimit; LIMITS],
    processors: [u64; 16],
    signals: u64,
    slack: u64,
    group: i32,
    umask: u32,
    policy: i32,
    nice: i32,
    io_priority: i32,
    hidden: i32,
}

impl Inherited {
    /// What the calling thread has. `None` where something cannot be asked for here.
    pub fn take() -> Option<Self> {
        // SAFETY: plain numbers, for which zero is a value.
        let mut taken: Self = unsafe { MaybeUninit::zeroed().assume_init() };
        let known = |answer: i64| (answer >= 0).then_some(answer);
        for (resource, limit) in taken.limits.iter_mut().enumerate() {
            // SAFETY: a place for the answer.
            known(unsafe { libc::prlimit(0, resource as _, core::ptr::null(), limit) }.into())?;
        }
        // SAFETY: the kernel writes at most the bytes it is told of; the mask is 8 bytes; the
        // other calls take numbers.
        unsafe {
            known(libc::syscall(
                libc::SYS_sched_getaffinity,
                0,
                size_of::<[u64; 16]>(),
                taken.processors.as_mut_ptr(),
            ))?;
            known(libc::syscall(
                libc::SYS_rt_sigprocmask,
                libc::SIG_BLOCK,
                0,
                &raw mut taken.signals,
                8,
            ))?;
            taken.group = libc::getpgid(0);
            taken.policy = libc::syscall(libc::SYS_sched_getscheduler, 0) as i32;
            // The system call answers 20 less what is asked for.
            taken.nice =
                20 - known(libc::syscall(libc::SYS_getpriority, libc::PRIO_PROCESS, 0))? as i32;
            taken.io_priority = libc::syscall(libc::SYS_ioprio_get, THREAD, 0) as i32;
            taken.hidden = rights::is_hidden().into();
            taken.slack = known(libc::prctl(libc::PR_GET_TIMERSLACK, 0, 0, 0, 0).into())? as u64;
        }
        taken.umask = umask()?;
        // A real-time policy cannot be had again by a process that left it.
        let shares = [libc::SCHED_OTHER, libc::SCHED_BATCH, libc::SCHED_IDLE];
        shares.contains(&taken.policy).then_some(taken)
    }

    /// Whether a process that has `self` can become one that has `wanted` without privileges.
    pub fn can_become(&self, wanted: &Self) -> bool {
        wanted.nice >= self.nice
            && self
                .limits
                .iter()
                .zip(&wanted.limits)
                .all(|(has, wants)| wants.rlim_max <= has.rlim_max)
    }

    /// Room for the files, which may lie above a limit that was lowered later.
    pub fn make_room(&self) {
        let mut limit = self.limits[libc::RLIMIT_NOFILE as usize];
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: reads one limit.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    }

    /// Puts all of it on, but the signal mask. The errno of what was refused.
    pub fn put(&self) -> Result<(), i32> {
        let done = |answer: i64| {
            if answer < 0 {
                Err(raw::errno())
            } else {
                Ok(())
            }
        };
        // SAFETY: numbers, and memory of ours that is read only.
        unsafe {
            if libc::getpgid(0) != self.group {
                done(libc::setpgid(0, self.group).into())?;
            }
            done(libc::syscall(
                libc::SYS_sched_setaffinity,
                0,
                size_of::<[u64; 16]>(),
                self.processors.as_ptr(),
            ))?;
            if libc::syscall(libc::SYS_sched_getscheduler, 0) as i32 != self.policy {
                let none = libc::sched_param { sched_priority: 0 };
                done(libc::syscall(
                    libc::SYS_sched_setscheduler,
                    0,
                    self.policy,
                    &raw const none,
                ))?;
            }
            done(libc::syscall(
                libc::SYS_setpriority,
                libc::PRIO_PROCESS,
                0,
                self.nice,
            ))?;
            if self.io_priority >= 0 {
                done(libc::syscall(
                    libc::SYS_ioprio_set,
                    THREAD,
                    0,
                    self.io_priority,
                ))?;
            }
            done(libc::prctl(libc::PR_SET_TIMERSLACK, self.slack, 0, 0, 0).into())?;
            if self.hidden != 0 {
                rights::hide();
            }
            libc::umask(self.umask as libc::mode_t);
            for (resource, limit) in self.limits.iter().enumerate() {
                done(libc::prlimit(0, resource as _, limit, core::ptr::null_mut()).into())?;
            }
        }
        Ok(())
    }

    /// The signals that were blocked, and the interrupt: the worker's own code lets it through.
    pub fn put_signals(&self) {
        let mask = self.signals | 1 << (libc::SIGINT - 1);
        // SAFETY: reads the mask, of the kernel's size.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigprocmask,
                libc::SIG_SETMASK,
                &raw const mask,
                0,
                8,
            );
        }
    }
}

/// As the process's `status` has it: asking by `umask` would change it for a moment.
fn umask() -> Option<u32> {
    let mut room = [0_u8; 512];
    let text = raw::read_file(c"/proc/self/status", &mut room)?;
    let line = text
        .split(|&b| b == b'\n')
        .find_map(|line| line.strip_prefix(b"Umask:"))?;
    u32::from_str_radix(core::str::from_utf8(line).ok()?.trim(), 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_can_be_put_on_where_it_was_taken() {
        let taken = Inherited::take().unwrap();
        assert!(taken.can_become(&taken));
        assert_eq!(taken.put(), Ok(()));
        let again = Inherited::take().unwrap();
        assert_eq!((again.umask, again.nice), (taken.umask, taken.nice));
        assert_eq!(again.processors, taken.processors);
    }

    #[test]
    fn a_higher_limit_or_priority_is_out_of_reach() {
        let taken = Inherited::take().unwrap();
        let mut wanted = taken;
        wanted.nice -= 1;
        assert!(!taken.can_become(&wanted));
        let mut poorer = taken;
        poorer.limits[libc::RLIMIT_NOFILE as usize].rlim_max -= 1;
        assert!(!poorer.can_become(&taken));
        assert!(taken.can_become(&poorer));
    }
}
