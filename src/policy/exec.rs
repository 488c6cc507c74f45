//! `exec`: a fork after CUDA becomes a fresh process, where that can be done.
//!
//! Decided at the fork, in the parent. What is kept here: the pid of the fresh process until the
//! program's own `fork` answers it, and, where the fork stays a fork, the reason, which the child
//! needs for its report if it uses CUDA after all.

use core::cell::UnsafeCell;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use super::revive;
use crate::config;
use crate::lineage::{Fork, Moment};
use crate::report::{buffer::Buffer, emit};
use crate::stack;
use crate::sys::spawn::{self, Program};
use crate::sys::{quiet, raw, thread};
use crate::template;

/// Bytes of one reason.
const REASON: usize = 512;
/// Forks with a reason that can be under way at a time.
const SLOTS: usize = 16;

/// Why a fork that nobody knows how to rewrite stays one.
pub const OTHER_FORK: &str = "only workers that multiprocessing starts can be; another fork is in \
                              the middle of its program, which a fresh process cannot continue \
                              (FORKGUARD_EXEC may name a command to run in its place)";

struct Slot {
    len: AtomicUsize,
    text: UnsafeCell<[u8; REASON]>,
}

// SAFETY: `text` is written by the thread that has set its place of `TAKEN`, before it stores `len`; read by that
// thread and by the child that it forks, which is a copy.
unsafe impl Sync for Slot {}

static REASONS: [Slot; SLOTS] = [const {
    Slot {
        len: AtomicUsize::new(0),
        text: UnsafeCell::new([0; REASON]),
    }
}; SLOTS];
/// Which are in use: apart from the texts, for each forked child looks here.
static TAKEN: [AtomicBool; SLOTS] = [const { AtomicBool::new(false) }; SLOTS];
/// One more than the slot of the reason why this very process was forked; 0 for none.
static HERE: AtomicU32 = AtomicU32::new(0);

/// Whether a fork that is about to be made is to be a fresh process, if it can: `exec` is asked, or
/// what is asked before it refuses.
pub fn is_asked() -> bool {
    let config = config::get();
    config.rewrites() && (!config.revives_before_exec() || revive::would_refuse())
}

/// The pid that the program's `fork` is to answer, once: a fresh process is running already.
pub fn started() -> Option<i32> {
    let here = thread::current();
    if here.rewriting.get() != 0 {
        // Not yet known to the program, whose signal handler forks meanwhile.
        return None;
    }
    if here.started.get() == 0 {
        crate::python::audit::unarmed_fork();
    }
    let pid = Some(here.started.replace(0)).filter(|&pid| pid != 0)?;
    crate::python::spawn::let_go();
    Some(pid)
}

/// Executes a program as a child of this process. The error is why it cannot be done; then nobody has
/// heard of a child.
pub fn execute(program: &Program<'_>) -> Result<i32, i32> {
    spawn::spawn(program).inspect_err(|_| template::wait::wake())
}

/// A fresh process was started in the place of this thread's next fork.
pub fn start(pid: i32) {
    thread::current().started.set(pid);
}

/// A process that was started for a fork that never came: another audit hook forbade it, or an
/// interrupt did. It has run nothing of the program's.
pub fn abandon() {
    let pid = thread::current().started.replace(0);
    if pid > 0 {
        let _errno = raw::ErrnoGuard::new();
        // SAFETY: a child that this thread started and nobody else knows of.
        unsafe { libc::kill(pid, libc::SIGKILL) };
        template::wait::reap(pid);
    }
    // Last, for it lets go who waits for it.
    crate::python::spawn::close_noted();
}

/// A slot that nobody had.
fn take() -> Option<usize> {
    (TAKEN.iter()).position(|taken| !taken.swap(true, Ordering::AcqRel))
}

/// Keeps why this thread's next fork stays a fork.
pub fn refuse(reason: &str) {
    let here = thread::current();
    let index = match here.refusal.get() {
        0 => take(),
        slot => Some(slot as usize - 1),
    };
    let Some(index) = index else { return };
    let slot = &REASONS[index];
    let mut end = reason.len().min(REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    // SAFETY: taken by this thread; see `Slot`.
    unsafe { (&mut *slot.text.get())[..end].copy_from_slice(&reason.as_bytes()[..end]) };
    slot.len.store(end, Ordering::Release);
    here.refusal.set(index as u32 + 1);
}

/// In the parent, after the fork: the reason has served.
pub fn forget_refusal() {
    let slot = thread::current().refusal.replace(0);
    if slot != 0 {
        TAKEN[slot as usize - 1].store(false, Ordering::Release);
    }
}

/// In the child: the reason is this process's own from now on.
pub fn keep_refusal() {
    let slot = thread::current().refusal.replace(0);
    quiet::store(&HERE, slot);
    for (index, taken) in TAKEN.iter().enumerate() {
        quiet::store(taken, index as u32 + 1 == slot);
    }
}

/// Whether there is a reason of its own why this process is a fork.
pub fn has_reason() -> bool {
    HERE.load(Ordering::Relaxed) != 0
}

/// In a forked child: gives it a reason of its own.
pub fn refuse_here(reason: fmt::Arguments<'_>) {
    let index = match HERE.load(Ordering::Relaxed) {
        0 => take(),
        slot => Some(slot as usize - 1),
    };
    let Some(index) = index else { return };
    let slot = &REASONS[index];
    // SAFETY: taken by this process, whose one deciding thread this is.
    let mut out = Buffer::new(unsafe { &mut *slot.text.get() });
    out.put(reason);
    slot.len.store(out.end(), Ordering::Release);
    HERE.store(index as u32 + 1, Ordering::Relaxed);
}

/// Why this forked process is no fresh one, where `exec` was asked for.
pub fn refusal() -> Option<&'static str> {
    if !config::get().rewrites() {
        return None;
    }
    let Some(index) = (HERE.load(Ordering::Relaxed) as usize).checked_sub(1) else {
        return Some(OTHER_FORK);
    };
    let slot = &REASONS[index];
    let len = slot.len.load(Ordering::Acquire);
    // SAFETY: written before the fork that made this process; nobody writes it here, because it
    // stays taken.
    let text = unsafe { &(&*slot.text.get())[..len] };
    core::str::from_utf8(text).ok()
}

/// What became of a fork that `exec` looked at.
pub struct Rewrite<'a> {
    /// The fresh process; `None` where the fork stays a fork.
    pub child: Option<i32>,
    /// How it was made: "exec", or "template" for a copy of the interpreter that is kept ready;
    /// "command" for what `FORKGUARD_EXEC` names.
    pub way: &'a str,
    /// The name of the program's process object.
    pub process: &'a str,
    /// Why it stays a fork; of a fresh process, what is to be said once, or nothing.
    pub reason: &'a str,
    /// What the fresh process may see otherwise than a forked one, a line each.
    pub suspicious: &'a str,
    /// Bytes that were carried.
    pub payload: u64,
    /// Microseconds that it took in the parent.
    pub took_us: u64,
    /// Set where a forked process becomes another program at its first use of CUDA.
    pub replaced: Option<Replaced<'a>>,
}

/// Of a forked process that becomes another program.
#[derive(Clone, Copy)]
pub struct Replaced<'a> {
    /// The fork that made it, if it was seen.
    pub fork: Option<&'a Fork>,
}

struct Place(UnsafeCell<Moment>);

// SAFETY: touched by the thread that holds `TELLING`.
unsafe impl Sync for Place {}

static AT: Place = Place(UnsafeCell::new(Moment::EMPTY));
static TELLING: AtomicBool = AtomicBool::new(false);

/// Tells of it where that is asked for.
pub fn tell(rewrite: &Rewrite<'_>) {
    if !emit::tells_of_service() || TELLING.swap(true, Ordering::AcqRel) {
        return;
    }
    // SAFETY: `TELLING` is held by this thread.
    let at = unsafe { &mut *AT.0.get() };
    stack::capture(&mut at.stack);
    at.stamp(c"fork", stack::native::caller(&at.stack));
    emit::rewritten(rewrite, at);
    TELLING.store(false, Ordering::Release);
}

/// The policy chain as text, for the environment of a fresh process.
pub fn chain(room: &mut [u8]) -> usize {
    let mut out = Buffer::new(room);
    config::get().put_chain(&mut out);
    out.end()
}
