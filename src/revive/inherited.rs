//! What a forked child has of its parent's devices: mappings and descriptors of `/dev/nvidia*`.
//!
//! They are dropped before anything else is done: a stale pointer into such a mapping is the
//! parent's hardware, and what is written there is the parent's work.
//!
//! All mappings go. Of the descriptors those stay that are not libcuda's, as far as that can be
//! told, because NVML keeps some of its own, and cannot be started again here without them
//! (measured: `nvmlInit` answers 17). Those are what was open before the first `cuInit`, and, where
//! NVML is loaded, what was opened after it. A descriptor too many that stays is harmless: nobody
//! uses it, and it keeps no more alive than it does in any forked child.

use core::cell::UnsafeCell;
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::image;
use crate::lineage;
use crate::sys::{descriptors, maps, raw};

/// Descriptors that are told apart; what has a higher number counts as opened later.
const TOLD_APART: usize = 1024;
/// Mappings dropped at a time.
const AT_A_TIME: usize = 256;

/// A set of descriptors.
struct Descriptors([AtomicU64; TOLD_APART / 64]);

impl Descriptors {
    const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; TOLD_APART / 64])
    }

    fn clear(&self) {
        for word in &self.0 {
            word.store(0, Ordering::Relaxed);
        }
    }

    fn put(&self, fd: c_int) {
        if let Some(word) = self.0.get(fd as usize / 64) {
            word.fetch_or(1 << (fd % 64), Ordering::Relaxed);
        }
    }

    fn has(&self, fd: c_int) -> bool {
        self.0
            .get(fd as usize / 64)
            .is_some_and(|word| word.load(Ordering::Relaxed) >> (fd % 64) & 1 == 1)
    }

    fn keep_only(&self, others: &Self) {
        for (word, other) in self.0.iter().zip(&others.0) {
            word.fetch_and(other.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    fn each(&self, mut visit: impl FnMut(c_int)) {
        for (at, word) in self.0.iter().enumerate() {
            let mut word = word.load(Ordering::Relaxed);
            while word != 0 {
                visit((at * 64) as c_int + word.trailing_zeros() as c_int);
                word &= word - 1;
            }
        }
    }
}

/// Of the devices, open before `cuInit`.
static BEFORE: Descriptors = Descriptors::new();
/// Open after it and not before: libcuda's.
static DURING: Descriptors = Descriptors::new();
/// Inherited, as [`check`] found them: asking what each open one is takes longest here.
static FOUND: Descriptors = Descriptors::new();
/// Set while a `cuInit` is under way, of which the first that began counts.
static NOTED: AtomicBool = AtomicBool::new(false);

/// Right before `cuInit`.
pub fn note_before() {
    if NOTED.swap(true, Ordering::AcqRel) {
        return;
    }
    BEFORE.clear();
    // Where they cannot be known all count as libcuda's.
    let _ = each_of_devices(|fd| BEFORE.put(fd));
}

/// Right after it.
pub fn note_after() {
    DURING.clear();
    let _ = each_of_devices(|fd| {
        if !BEFORE.has(fd) {
            DURING.put(fd);
        }
    });
    NOTED.store(false, Ordering::Release);
}

fn each_of_devices(mut visit: impl FnMut(c_int)) -> Result<(), c_int> {
    descriptors::each_open(|fd| {
        if descriptors::is_drivers(fd) {
            visit(fd);
        }
    })
}

/// Why it cannot be said what was inherited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unknown {
    /// The kernel's list of the mappings cannot be read.
    Mappings(c_int),
    /// Nor that of the descriptors.
    Descriptors(c_int),
    /// Nothing was: a driver that has its devices elsewhere (WSL, Tegra), or keeps them otherwise.
    Nothing,
    /// The descriptors may be the parent's very own.
    Shared,
}

struct Room {
    text: [u8; maps::ROOM],
    ranges: [(usize, usize); AT_A_TIME],
    len: usize,
    /// Some descriptor was found that is not told apart.
    more: bool,
}

struct Bench(UnsafeCell<Room>);

// SAFETY: touched by the thread alone that revives, under the policy's lock.
unsafe impl Sync for Bench {}

static BENCH: Bench = Bench(UnsafeCell::new(Room {
    text: [0; maps::ROOM],
    ranges: [(0, 0); AT_A_TIME],
    len: 0,
    more: false,
}));

/// The inherited mappings and descriptors, known to be droppable.
pub struct Inherited(());

/// Finds out whether all can be known and dropped. Changes nothing that anybody sees. Nothing has to
/// be there where the driver was about to start at the fork: it `may_have_none` yet.
///
/// # Safety
/// One thread at a time.
pub unsafe fn check(may_have_none: bool) -> Result<Inherited, Unknown> {
    // SAFETY: says the caller.
    let room = unsafe { &mut *BENCH.0.get() };
    find_mappings(room).map_err(Unknown::Mappings)?;
    FOUND.clear();
    room.more = false;
    let mut open = 0;
    each_of_devices(|fd| {
        open += 1;
        FOUND.put(fd);
        room.more |= !FOUND.has(fd);
    })
    .map_err(Unknown::Descriptors)?;
    if room.len + open == 0 && !may_have_none {
        return Err(Unknown::Nothing);
    }
    if !has_own_table() {
        return Err(Unknown::Shared);
    }
    Ok(Inherited(()))
}

/// The first of them, as many as there is room for.
fn find_mappings(room: &mut Room) -> Result<(), c_int> {
    let Room {
        text, ranges, len, ..
    } = room;
    *len = 0;
    maps::each(text, descriptors::is_drivers_path, |mapping| {
        if *len == AT_A_TIME {
            return;
        }
        match len.checked_sub(1).map(|last| &mut ranges[last]) {
            Some(last) if last.1 == mapping.start => last.1 = mapping.end,
            _ => {
                ranges[*len] = (mapping.start, mapping.end);
                *len += 1;
            }
        }
    })
}

/// Whether no other process has this very table of descriptors: then closing one here would close
/// the parent's. `fork` makes a new one; a bare `clone` may not, and then the table is made this
/// process's own now, which a process with one thread can do without harm to anybody.
fn has_own_table() -> bool {
    if lineage::was_forked_here() {
        return true;
    }
    // SAFETY: `stat` is plain numbers, for which zero is a value.
    let mut tasks: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: a C string, and a place for the answer. What is shared with nobody stays as it is.
    unsafe {
        let asked = libc::syscall(
            libc::SYS_newfstatat,
            libc::AT_FDCWD,
            c"/proc/self/task".as_ptr(),
            &raw mut tasks,
            0,
        );
        // Two links of a directory, and one for each thread.
        asked == 0
            && tasks.st_nlink == 3
            && libc::syscall(libc::SYS_unshare, libc::CLONE_FILES) == 0
    }
}

impl Inherited {
    /// Drops them, and notes what stays as open before the `cuInit` that follows; the error is why
    /// the kernel would not.
    ///
    /// # Safety
    /// One thread at a time, in a forked child of whose CUDA nothing will be used.
    pub unsafe fn drop_all(self) -> Result<(), c_int> {
        // SAFETY: says the caller.
        let room = unsafe { &mut *BENCH.0.get() };
        loop {
            for &(start, end) in &room.ranges[..room.len] {
                // SAFETY: memory of the devices, which the driver mapped in the parent and of which
                // this process, says the caller, uses nothing.
                if unsafe { libc::munmap(start as *mut c_void, end - start) } != 0 {
                    return Err(raw::errno());
                }
            }
            if room.len < AT_A_TIME {
                break;
            }
            find_mappings(room)?;
        }
        let spare_later = image::is_loaded(c"libnvidia-ml.so");
        NOTED.store(true, Ordering::Release);
        // A number that is no longer open may be libcuda's next.
        BEFORE.keep_only(&FOUND);
        let drop = |fd| {
            if spare_later && !DURING.has(fd) {
                BEFORE.put(fd);
            } else if !BEFORE.has(fd) {
                // SAFETY: libcuda's descriptor, of which it will know nothing.
                unsafe { libc::syscall(libc::SYS_close, fd) };
            }
        };
        FOUND.each(drop);
        if room.more {
            each_of_devices(|fd| {
                if fd as usize >= TOLD_APART {
                    drop(fd);
                }
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_told_apart() {
        let set = Descriptors::new();
        for fd in [0, 63, 64, 1023, 1024, 70000] {
            assert!(!set.has(fd));
            set.put(fd);
        }
        assert!(set.has(0) && set.has(63) && set.has(64) && set.has(1023));
        assert!(!set.has(1) && !set.has(1024) && !set.has(70000));
        let mut all = Vec::new();
        set.each(|fd| all.push(fd));
        assert_eq!(all, [0, 63, 64, 1023]);
        set.clear();
        assert!(!set.has(63));
    }
}
