//! A runtime API (libcudart, linked or loaded) that only counted devices in the parent: what it
//! left in the driver, and what it keeps of it.
//!
//! Such a runtime outlives the driver's new start if both are seen to (otherwise it answers
//! `cudaErrorContextIsDestroyed`; measured on driver 580.159.04 with the runtimes
//! that `scripts/gpu-check` names):
//!
//! - It left its entry in a list of those that are told when a context ends. The list is the
//!   driver's: an address and a length, a word apart, in libcuda's data, both 0 after `cuInit`; the
//!   entries are on the heap, which the child has. [`Registry`] takes it over, where exactly one
//!   such pair is found.
//! - It keeps each device's primary context, which is an object of the driver's before anybody
//!   retains it. The new driver has others. When the runtime retains one for the first time it has
//!   made the old one current; that tells the pair, and [`retained`] puts the new handle wherever
//!   the old one stands. Nobody else has it: there was no context in the parent.
//!
//! Where the list is not found this way nothing is tried, and the policy says why. What a runtime
//! did beyond counting shows as a context, which the policy refuses before it comes to this.

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::hint::black_box;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

use super::image;
use crate::sys::maps;
use crate::sys::memory::Reader;
use crate::sys::process_lock::ProcessLock;
use crate::sys::program::Mapping;
use crate::sys::{raw, thread};

const WORD: usize = size_of::<usize>();
/// Runtimes that may have entered themselves in one process.
const MOST_ENTRIES: usize = 64;
/// Devices of a process.
const DEVICES: usize = 64;
/// Bytes looked through at a time.
const PIECE: usize = 4096;
/// Pages of which the kernel is asked at a time whether they are there.
const ASKED: usize = 4096;

/// libcuda's data as it was right after `cuInit`: where the copy is, 0 for none.
static STARTED: AtomicUsize = AtomicUsize::new(0);
/// The process whose runtime is the parent's, 0 for none; a child that inherits the number is not
/// that process.
static INHERITED_IN: AtomicI32 = AtomicI32::new(0);
/// Contexts were made here by other means than retaining a device's own: a current one that is not
/// known may be one of them.
static MADE_OTHERS: AtomicBool = AtomicBool::new(false);
/// The devices' contexts of this process's own driver.
static OWN: [AtomicUsize; DEVICES] = [const { AtomicUsize::new(0) }; DEVICES];
static EXCHANGING: ProcessLock = ProcessLock::new();

struct Room {
    lines: [u8; maps::ROOM],
    piece: [usize; PIECE / WORD],
    there: [u8; ASKED],
}

struct Bench(UnsafeCell<Room>);

// SAFETY: touched by the thread alone that has `EXCHANGING`.
unsafe impl Sync for Bench {}

static BENCH: Bench = Bench(UnsafeCell::new(Room {
    lines: [0; maps::ROOM],
    piece: [0; PIECE / WORD],
    there: [0; ASKED],
}));

/// `cuInit` has just succeeded in this process, for the first time: its data from here on is the
/// runtimes' doing, too.
pub fn driver_started() {
    let data = image::driver_data();
    let size: usize = data.iter().map(|(start, end)| end - start).sum();
    if size == 0 {
        return;
    }
    let mut copy = STARTED.load(Ordering::Acquire) as *mut u8;
    if copy.is_null() {
        let Ok(new) = Mapping::new(size) else { return };
        copy = new.leak().as_mut_ptr();
    }
    // SAFETY: the data of the loaded libcuda, into as much memory of the copy's, which was made for
    // exactly these pieces. Another thread of the program may change a word meanwhile; it is then as
    // if it had before.
    unsafe { image::copy_pieces(data, copy) };
    STARTED.store(copy as usize, Ordering::Release);
}

/// The driver's list of runtimes: where it is, and what its words are: an address, another thing
/// that stays as it is, and a length.
#[derive(Clone, Copy)]
pub struct Registry {
    at: usize,
    words: [usize; 3],
}

impl Registry {
    /// Finds it in a process whose driver is as the parent left it. `None` where nothing looks like
    /// it, or more than one thing does.
    pub fn find() -> Option<Self> {
        let mut copy = STARTED.load(Ordering::Acquire);
        if copy == 0 {
            return None;
        }
        let mut found = None;
        for &(start, end) in image::driver_data() {
            let first = start.next_multiple_of(WORD);
            for at in (first..end.saturating_sub(2 * WORD)).step_by(WORD) {
                // SAFETY: three words inside of libcuda's data, and of its copy, which lies
                // likewise; threads of the program's may write there.
                let (then, now) = unsafe { (words(copy + (at - start)), words(at)) };
                let is_list = (then[0], then[2]) == (0, 0)
                    && then[1] == now[1]
                    && now[0] != 0
                    && now[0].is_multiple_of(2 * WORD)
                    && (1..=MOST_ENTRIES).contains(&now[2]);
                if is_list {
                    if found.is_some() {
                        return None;
                    }
                    found = Some(Self { at, words: now });
                }
            }
            copy += end - start;
        }
        found
    }

    /// Puts it into the driver that has just started anew. False where the entries are not this
    /// process's own memory, or the new driver has something there.
    pub fn take_over(&self) -> bool {
        // SAFETY: where it was found, in libcuda's data, which is where it was.
        let is_fresh = unsafe { words(self.at) } == [0, self.words[1], 0];
        if !is_fresh || !raw::is_writable(self.words[0]) {
            return false;
        }
        // SAFETY: as above; nobody else calls this driver yet.
        unsafe { (self.at as *mut [usize; 3]).write_volatile(self.words) };
        INHERITED_IN.store(raw::getpid(), Ordering::Release);
        MADE_OTHERS.store(false, Ordering::Relaxed);
        for context in &OWN {
            context.store(0, Ordering::Relaxed);
        }
        true
    }
}

/// # Safety
/// Three words must be readable at `at`, which is aligned.
unsafe fn words(at: usize) -> [usize; 3] {
    // SAFETY: says the caller.
    unsafe { (at as *const [usize; 3]).read_volatile() }
}

/// Whether this process's runtime knows the parent's driver: then each retaining of a primary
/// context is to come to [`retained`].
pub fn is_inherited() -> bool {
    INHERITED_IN.load(Ordering::Relaxed) == raw::getpid()
}

/// A context is made here that is none of the devices' own.
pub fn makes_other_context() {
    if !MADE_OTHERS.load(Ordering::Relaxed) {
        MADE_OTHERS.store(true, Ordering::Relaxed);
    }
}

/// A device's primary context was retained. If the one that is current is the parent's, of which
/// this is the successor, it takes its place: on this thread, and in the runtime's memory.
pub fn retained(context: usize) {
    let Some(reviving) = thread::current().begin_reviving() else {
        return;
    };
    let held = EXCHANGING.take();
    if own(context)
        && !MADE_OTHERS.load(Ordering::Relaxed)
        && let Some(current) = current()
        && !is_own(current)
        && make_current(context)
    {
        // SAFETY: this thread has the lock.
        exchange(unsafe { &mut *BENCH.0.get() }, !current, context);
    }
    drop(held);
    drop(reviving);
}

/// Remembers the context. False where there is no room for it.
fn own(context: usize) -> bool {
    OWN.iter().any(|place| {
        place
            .compare_exchange(0, context, Ordering::Relaxed, Ordering::Relaxed)
            .map_or_else(|known| known == context, |_| true)
    })
}

fn is_own(context: usize) -> bool {
    OWN.iter()
        .any(|place| place.load(Ordering::Relaxed) == context)
}

/// The calling thread's context.
fn current() -> Option<usize> {
    let address = image::function(c"cuCtxGetCurrent")?;
    // SAFETY: `CUresult cuCtxGetCurrent(CUcontext *)` of the libcuda in use (cuda.h).
    let get: unsafe extern "C" fn(*mut usize) -> u32 = unsafe { core::mem::transmute(address) };
    let mut context = 0;
    // SAFETY: a place for the answer.
    (unsafe { get(&raw mut context) } == 0 && context != 0).then_some(context)
}

fn make_current(context: usize) -> bool {
    let Some(address) = image::function(c"cuCtxSetCurrent") else {
        return false;
    };
    // SAFETY: `CUresult cuCtxSetCurrent(CUcontext)` of the libcuda in use (cuda.h).
    let set: unsafe extern "C" fn(*mut c_void) -> u32 = unsafe { core::mem::transmute(address) };
    // SAFETY: a context that was just retained.
    unsafe { set(context as *mut c_void) == 0 }
}

/// Writes `new` wherever the complement of `inverted` stands in this process's own memory. (The
/// handle itself must not stand in this function's frame, which is looked through, too.) Of what was
/// only reserved there may be any amount, and nothing is there: the kernel says what is.
fn exchange(room: &mut Room, inverted: usize, new: usize) {
    let Room {
        lines,
        piece,
        there,
    } = room;
    let mut reader = Reader::default();
    // SAFETY: getauxval takes any number.
    let page = unsafe { libc::getauxval(libc::AT_PAGESZ) } as usize;
    // What goes wrong with the list leaves a runtime that says so with each call.
    let is_no_devices = |path: &[u8]| !path.starts_with(b"/dev/");
    let _ = maps::each(lines, is_no_devices, |mapping| {
        if mapping.rights != *b"rw-p" {
            return;
        }
        for start in (mapping.start..mapping.end).step_by(ASKED * page) {
            let end = mapping.end.min(start + ASKED * page);
            // SAFETY: the kernel writes a byte for each page, for which there is room.
            let asked =
                unsafe { libc::syscall(libc::SYS_mincore, start, end - start, there.as_mut_ptr()) };
            for at in (start..end).step_by(PIECE) {
                if asked == 0 && there[(at - start) / page] & 1 == 1 {
                    exchange_piece(&mut reader, piece, at, inverted, new);
                }
            }
        }
    });
}

fn exchange_piece(
    reader: &mut Reader,
    piece: &mut [usize; PIECE / WORD],
    at: usize,
    inverted: usize,
    new: usize,
) {
    // SAFETY: words of `piece` as bytes.
    let bytes = unsafe { core::slice::from_raw_parts_mut(piece.as_mut_ptr().cast::<u8>(), PIECE) };
    // Copied first: a thread of the program's may give the page back meanwhile.
    if !reader.read(at, bytes) {
        return;
    }
    for (index, word) in piece.iter_mut().enumerate() {
        if *word == !black_box(inverted) {
            *word = 0;
            raw::write_word(at + index * WORD, new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On the heap, in a large mapping, and not in what is shared, may not be written or is only
    /// reserved (which must not be there afterwards either).
    #[test]
    fn a_handle_is_exchanged_in_private_memory_alone() {
        const OLD: usize = 0x5a5a_0123_4567_89a0;
        const NEW: usize = 0x5a5a_0123_4567_89b0;
        let old = || OLD ^ black_box(0);
        let mut room = Box::new(Room {
            lines: [0; maps::ROOM],
            piece: [0; PIECE / WORD],
            there: [0; ASKED],
        });
        let map = |len: usize, shared: bool| {
            let kind = if shared {
                libc::MAP_SHARED
            } else {
                libc::MAP_PRIVATE
            };
            // SAFETY: a new anonymous mapping.
            let at = unsafe {
                libc::mmap(
                    core::ptr::null_mut(),
                    len,
                    libc::PROT_READ | libc::PROT_WRITE,
                    kind | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                    -1,
                    0,
                )
            };
            assert_ne!(at, libc::MAP_FAILED);
            at.cast::<usize>()
        };
        let heap = vec![1, old(), 3, old()];
        // More than is asked for at a time, most of it never touched.
        let (large, shared, sealed) = (map(1 << 38, false), map(4096, true), map(4096, false));
        let last = (1_usize << 38) / WORD - 1;
        // SAFETY: inside of the three mappings, which nobody else has.
        unsafe {
            large.add(last).write(old());
            shared.write(old());
            sealed.write(old());
            libc::mprotect(sealed.cast(), 4096, libc::PROT_READ);
        }
        exchange(&mut room, !old(), NEW);
        assert_eq!(black_box(&heap)[..3], [1, NEW, 3]);
        assert_eq!(heap[3], NEW);
        // SAFETY: as above.
        unsafe {
            assert_eq!(large.add(last).read_volatile(), NEW);
            assert_eq!(shared.read_volatile(), old());
            assert_eq!(sealed.read_volatile(), old());
            let mut there = 1_u8;
            libc::mincore(
                large.add(last / 2).map_addr(|at| at & !4095).cast(),
                4096,
                &raw mut there,
            );
            assert_eq!(there & 1, 0);
            libc::munmap(large.cast(), 1 << 38);
            libc::munmap(shared.cast(), 4096);
            libc::munmap(sealed.cast(), 4096);
        }
    }
}
