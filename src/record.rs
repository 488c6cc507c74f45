//! What this process says of itself in its family's record, for whoever looks from outside.
//!
//! Runs where CUDA is initialised, around forks, and in forked children at what they do with CUDA: no
//! lock, no heap, and, at a fork, no system call but those that ask who this is. (Once a family has
//! had more children than it keeps places for, it also takes asking which of them are gone.)
//!
//! What is said of a fork is written before it, in the parent: in the child each page that is touched
//! for the first time costs more than all that is written.

use core::cell::UnsafeCell;
use core::ffi::c_int;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use forkguard_record::{Forked, Initialised, Owner, Record, State};

use crate::config;
use crate::family::record;
use crate::gate::slots;
use crate::lineage::{self, Moment};
use crate::report::buffer::Buffer;
use crate::report::place;
use crate::sys::{quiet, raw};

/// In [`slots::recorded_word`]: there is no slot for this process, and it does not need one.
const NONE: u32 = u32::MAX;
/// Bytes of a fork's place, and of an initialisation's, as they are made.
const FORK_PLACE: usize = 512;
const PLACE: usize = 1280;

/// By this number the pid namespace of this process is told from those of its family's other
/// processes; 0 is that of the process that initialised CUDA. Inherited.
static NAMESPACE: AtomicU32 = AtomicU32::new(0);

/// A family begins with this process, which initialised CUDA at `at`.
pub fn begin(at: &Moment) {
    slots::recorded_word().store(NONE, Ordering::Relaxed);
    NAMESPACE.store(0, Ordering::Relaxed);
    if let Some(record) = record() {
        write(record, at);
        lineage::note_earlier_context();
    }
}

#[inline(never)]
fn write(record: &Record, at: &Moment) {
    let mut room = [0; PLACE];
    let mut lines = Buffer::new(&mut room);
    place::lines(&mut lines, at);
    let mut chain = [0; 96];
    let mut policy = Buffer::new(&mut chain);
    for (i, step) in config::get().chain().iter().enumerate() {
        policy.put(format_args!(
            "{}{}",
            if i > 0 { "," } else { "" },
            step.name()
        ));
    }
    record.begin(&Initialised {
        version: env!("CARGO_PKG_VERSION"),
        pid: at.pid,
        tid: at.tid,
        thread: at.thread(),
        unix_ns: at.unix_ns,
        boot_ns: raw::clock_ns(libc::CLOCK_BOOTTIME),
        namespace: namespace(),
        function: at.function(),
        caller: at.caller as u64,
        native: native(at),
        policy: policy.since(0),
        place: lines.since(0),
    });
}

/// This process created a context.
pub fn note_context() {
    if lineage::initialised_here()
        && let Some(record) = record()
    {
        record.note_context();
    }
}

/// The lines that say where the forks of one of [`lineage`]'s records are, as they were made last:
/// a program mostly forks where it forked before.
struct Place {
    /// 0 for none.
    len: AtomicUsize,
    text: UnsafeCell<[u8; FORK_PLACE]>,
}

// SAFETY: only the thread that has claimed the record it belongs to comes to it.
unsafe impl Sync for Place {}

impl Place {
    /// The lines, made where they are not there.
    ///
    /// # Safety
    /// The calling thread has claimed the record.
    unsafe fn lines(&self, at: &Moment) -> &str {
        if self.len.load(Ordering::Relaxed) == 0 {
            // SAFETY: the caller is alone here.
            let len = make(unsafe { &mut *self.text.get() }, at);
            quiet::store(&self.len, len);
        }
        let len = self.len.load(Ordering::Relaxed).min(FORK_PLACE);
        // SAFETY: as above.
        let text = unsafe { &(&*self.text.get())[..len] };
        core::str::from_utf8(text).unwrap_or_default()
    }
}

#[inline(never)]
fn make(room: &mut [u8; FORK_PLACE], at: &Moment) -> usize {
    let mut lines = Buffer::new(room);
    place::lines(&mut lines, at);
    lines.end()
}

static PLACES: [Place; lineage::FORKS] = [const {
    Place {
        len: AtomicUsize::new(0),
        text: UnsafeCell::new([0; FORK_PLACE]),
    }
}; lineage::FORKS];

/// In a forked child: another thread of the parent had this record, and perhaps was in the middle of
/// making its lines.
pub fn forget_place(record: usize) {
    PLACES[record].len.store(0, Ordering::Relaxed);
}

/// A fork that is about to be made, and its slot.
#[derive(Clone, Copy)]
pub struct Forking {
    record: &'static Record,
    index: usize,
    parent: Owner,
}

/// Says where the fork is that this process is about to make: `at` is that moment, in the record that
/// this thread has claimed; `elsewhere` where its frames are others than the last time. To be told of
/// each moment that a record holds.
pub fn before_fork(at: &Moment, claimed: usize, elsewhere: bool) -> Option<Forking> {
    let place = &PLACES[claimed];
    if elsewhere {
        place.len.store(0, Ordering::Relaxed);
    }
    let record = record()?;
    let parent = owner(record, at.pid);
    let index = record.claim(parent, is_alive)?;
    // SAFETY: the record is this thread's; see `Place`.
    let lines = unsafe { place.lines(at) };
    record.describe(
        index,
        &Forked {
            parent: at.pid,
            unix_ns: at.unix_ns,
            after_ns: raw::clock_ns(libc::CLOCK_BOOTTIME),
            function: at.function(),
            place: lines,
            native: native(at),
        },
    );
    Some(Forking {
        record,
        index,
        parent,
    })
}

impl Forking {
    /// The slot's number.
    pub fn index(&self) -> usize {
        self.index
    }

    /// In the parent: `child` is what the fork answered.
    pub fn in_parent(self, child: c_int) {
        if child > 0 {
            let now = raw::clock_ns(libc::CLOCK_BOOTTIME);
            self.record.made(self.index, self.parent, child, now);
        } else {
            self.record.give_back(self.index, self.parent);
        }
    }

    /// In the child, which is `pid`.
    pub fn in_child(self, pid: c_int) {
        self.record.born(self.index, self.parent, pid);
    }
}

/// This process, as others of its pid namespace know it.
fn owner(record: &Record, pid: c_int) -> Owner {
    if let Some(index) = known()
        && (pid == 1 || record.is_elsewhere(index))
    {
        NAMESPACE.store(index as u32 + 1, Ordering::Relaxed);
    }
    Owner {
        namespace: NAMESPACE.load(Ordering::Relaxed),
        pid,
    }
}

/// This forked child was served so, or is about to end.
pub fn served(state: State) {
    if let Some(record) = record()
        && let Some(index) = here(record)
    {
        record.set_state(index, state);
    }
}

/// This forked child used CUDA, which is reported.
pub fn violation(state: State) {
    if let Some(record) = record() {
        let index = here(record);
        record.add_violation(index);
        if let Some(index) = index {
            record.set_state(index, state);
        }
    }
}

/// The slot that this forked process's parent claimed for it.
fn known() -> Option<usize> {
    match slots::recorded_word().load(Ordering::Relaxed) {
        0 => lineage::slot(),
        NONE => None,
        known => Some(known as usize - 1),
    }
}

/// The slot of this forked process; where its fork was not seen it has none yet.
fn here(record: &Record) -> Option<usize> {
    let word = slots::recorded_word();
    if let Some(known) = known() {
        return Some(known);
    }
    // Of two threads one claims; the other goes without.
    word.compare_exchange(0, NONE, Ordering::AcqRel, Ordering::Relaxed)
        .ok()?;
    let pid = raw::getpid();
    let me = Owner {
        namespace: NAMESPACE.load(Ordering::Relaxed),
        pid,
    };
    let index = record.claim(me, is_alive)?;
    // Where the fork was nobody saw.
    record.describe(
        index,
        &Forked {
            unix_ns: raw::clock_ns(libc::CLOCK_REALTIME),
            ..Forked::default()
        },
    );
    record.born(index, me, pid);
    word.store(index as u32 + 1, Ordering::Relaxed);
    Some(index)
}

/// The program's innermost frames.
fn native<const LEN: usize>(at: &Moment) -> [u64; LEN] {
    let mut frames = at.stack.native().iter();
    core::array::from_fn(|_| frames.next().map_or(0, |&address| address as u64))
}

/// The inode of this process's pid namespace.
fn namespace() -> u64 {
    // SAFETY: plain numbers, for which zero is a value.
    let mut about: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: a C string, and a place for the answer.
    let asked = unsafe {
        libc::syscall(
            libc::SYS_newfstatat,
            libc::AT_FDCWD,
            c"/proc/self/ns/pid".as_ptr(),
            &raw mut about,
            0,
        )
    };
    if asked == 0 { about.st_ino } else { 0 }
}

fn is_alive(pid: c_int) -> bool {
    !raw::is_gone(pid)
}
