//! Writing without dying of it. The program's own signals stay as they are: what was pending before
//! is pending afterwards.

/// Keeps a write from killing the process: by `SIGPIPE` where the reader is gone, by `SIGXFSZ`
/// where a file has the largest size that the process may write.
pub(super) struct NoSignal {
    before: libc::sigset_t,
    /// Which were already pending: those are not ours to swallow.
    pending: [bool; OF_A_WRITE.len()],
}

const OF_A_WRITE: [i32; 2] = [libc::SIGPIPE, libc::SIGXFSZ];

impl NoSignal {
    pub(super) fn begin() -> Self {
        let set = Self::set(&OF_A_WRITE);
        // SAFETY: a signal set is plain bytes, for which zero is a value.
        let mut before: libc::sigset_t = unsafe { core::mem::zeroed() };
        // SAFETY: both sets are ours; only this thread's mask is changed, until the drop.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, &raw mut before) };
        Self {
            before,
            pending: OF_A_WRITE.map(Self::is_pending),
        }
    }

    fn set(signals: &[i32]) -> libc::sigset_t {
        // SAFETY: a signal set is plain bytes, for which zero is a value.
        let mut set: libc::sigset_t = unsafe { core::mem::zeroed() };
        for &signal in signals {
            // SAFETY: `set` is ours, and these are signals.
            unsafe { libc::sigaddset(&raw mut set, signal) };
        }
        set
    }

    fn is_pending(signal: i32) -> bool {
        // SAFETY: a signal set is plain bytes, for which zero is a value.
        let mut pending: libc::sigset_t = unsafe { core::mem::zeroed() };
        // SAFETY: the kernel fills our set, which is then only read.
        unsafe {
            libc::sigpending(&raw mut pending);
            libc::sigismember(&raw const pending, signal) == 1
        }
    }
}

impl Drop for NoSignal {
    fn drop(&mut self) {
        for (signal, pending) in OF_A_WRITE.into_iter().zip(self.pending) {
            if pending || !Self::is_pending(signal) {
                continue;
            }
            let set = Self::set(&[signal]);
            let at_once = libc::timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            // SAFETY: takes the one pending signal of this thread's own write; no information
            // about it is asked for.
            unsafe {
                libc::sigtimedwait(&raw const set, core::ptr::null_mut(), &raw const at_once);
            }
        }
        // SAFETY: gives back the mask that `begin` found.
        unsafe {
            libc::pthread_sigmask(
                libc::SIG_SETMASK,
                &raw const self.before,
                core::ptr::null_mut(),
            );
        }
    }
}
