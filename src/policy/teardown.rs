//! Whether a thread is only taking things down: then nobody is to be killed, or reported, for the
//! destructors it inherited.
//!
//! A driver function's name tells most of it (`cuMemFree`, see [`crate::gate::classes`]), but not
//! where a runtime stands before it: whatever libcudart is asked for, its first driver call in a
//! forked child is a query (`cuCtxGetDevice`). So the stack is asked. A return address inside
//! `exit` says that the process is ending; inside `Py_FinalizeEx`, that its interpreter is;
//! inside `PyObject_CallFinalizerFromDealloc`, that an object is being destroyed; inside
//! libcudart's `cudaEventDestroy` and its like, that a handle is.
//!
//! A stack also holds what was there before: frames leave room that nobody has written to since. So
//! what looks like it is looked at again with the unwinder, where that can be had.
//!
//! That costs nothing before there is a violation, holds for exactly the thread that is at it,
//! and needs no `atexit` handler in the child, which would take a lock that may be held for ever
//! and would come too late for a raw `clone`.

use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::stack::{native, python};
use crate::sys::{elf, memory, modules, quiet, thread};

/// How far up a stack is searched, bytes.
const REACH: usize = 8 << 20;
/// Bytes read at a time: this stands on the stack of whoever is judged.
const PIECE: usize = 1024;
const RANGES: usize = 96;

/// Functions of the interpreter that destroy objects.
const FINALIZERS: [&CStr; 2] = [
    c"PyObject_CallFinalizerFromDealloc",
    c"PyObject_CallFinalizer",
];

/// Functions of a shared libcudart that destroy handles. Not `cudaFree`: `cudaFree(0)` is how
/// programs have always asked for a context. A static libcudart has no names to find.
const RUNTIME: [&CStr; 17] = [
    c"cudaEventDestroy",
    c"cudaStreamDestroy",
    c"cudaFreeHost",
    c"cudaFreeArray",
    c"cudaFreeMipmappedArray",
    c"cudaFreeAsync",
    c"cudaHostUnregister",
    c"cudaGraphDestroy",
    c"cudaGraphExecDestroy",
    c"cudaDestroyTextureObject",
    c"cudaDestroySurfaceObject",
    c"cudaDestroyExternalMemory",
    c"cudaDestroyExternalSemaphore",
    c"cudaMemPoolDestroy",
    c"cudaIpcCloseMemHandle",
    c"cudaUserObjectRelease",
    c"__cudaUnregisterFatBinary",
];

/// Where the C library's `exit` is; 0, 0 until it is found.
static EXIT: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
static STARTS: [AtomicUsize; RANGES] = [const { AtomicUsize::new(0) }; RANGES];
static ENDS: [AtomicUsize; RANGES] = [const { AtomicUsize::new(0) }; RANGES];
static LEN: AtomicUsize = AtomicUsize::new(0);
static LOOKED: AtomicU64 = AtomicU64::new(0);
static BUSY: AtomicBool = AtomicBool::new(false);
/// Python was ended, or ending, when this process was forked. It says so for ever after, and then
/// says nothing about this process: a program may end the Python it embeds and go on. Where the
/// fork was made by what ends Python, that is still on the stack.
static PYTHON_HAD_ENDED: AtomicBool = AtomicBool::new(false);

/// Finds the functions, where objects were loaded since. Called by a process that may ask the
/// loader, after [`modules::refresh`].
pub fn prepare() {
    if LOOKED.load(Ordering::Relaxed) == modules::changes() || BUSY.swap(true, Ordering::Acquire) {
        return;
    }
    LOOKED.store(modules::changes(), Ordering::Relaxed);
    if let Some((start, size)) = elf::find_in_libc(c"exit") {
        // The call of the handlers is `exit`'s last instruction: it returns to the byte after.
        EXIT[1].store(start + size.max(1), Ordering::Relaxed);
        EXIT[0].store(start, Ordering::Release);
    }
    for name in FINALIZERS {
        if let Some((start, size)) = elf::find_in_python_sized(name) {
            add(start, size);
        }
    }
    elf::each_object(|object| {
        if object.file_name().starts_with(b"libcudart") {
            for name in RUNTIME {
                if let Some((start, size)) = object.find(name) {
                    add(start, size);
                }
            }
        }
        true
    });
    BUSY.store(false, Ordering::Release);
}

/// In a forked child: a search that another thread of the parent had begun will never end.
pub fn after_fork() {
    quiet::store(&BUSY, false);
    quiet::store(&PYTHON_HAD_ENDED, python::is_finalizing());
}

fn add(start: usize, size: usize) {
    let len = LEN.load(Ordering::Relaxed);
    if len < RANGES
        && !STARTS[..len]
            .iter()
            .any(|known| known.load(Ordering::Relaxed) == start)
    {
        STARTS[len].store(start, Ordering::Relaxed);
        ENDS[len].store(start + size, Ordering::Relaxed);
        LEN.store(len + 1, Ordering::Release);
    }
}

/// Whether the calling thread, whose stack continues at `stack`, is taking things down.
pub fn is_under_way(stack: usize) -> bool {
    if python::is_finalizing() && !PYTHON_HAD_ENDED.load(Ordering::Relaxed) {
        return true;
    }
    let len = LEN.load(Ordering::Acquire);
    search_for(stack, || {
        STARTS[..len]
            .iter()
            .zip(&ENDS)
            .map(|(start, end)| (start.load(Ordering::Relaxed), end.load(Ordering::Relaxed)))
            .chain(ends())
    })
}

/// Whether the process, or its interpreter, is ending, on the thread whose stack continues at
/// `stack`.
pub fn is_ending(stack: usize) -> bool {
    python::is_finalizing() && !PYTHON_HAD_ENDED.load(Ordering::Relaxed)
        || search_for(stack, || ends().into_iter())
}

/// The code of what ends a process and an interpreter.
fn ends() -> [(usize, usize); 2] {
    let start = EXIT[0].load(Ordering::Acquire);
    let exit = (start, EXIT[1].load(Ordering::Relaxed));
    [exit, python::finalize_range().unwrap_or((0, 0))]
}

/// Whether a function that lies in one of the ranges has called something on the stack.
fn search_for<R: Iterator<Item = (usize, usize)>>(stack: usize, ranges: impl Fn() -> R) -> bool {
    // Most words of a stack are no code address at all.
    let (lowest, highest) = ranges()
        .filter(|range| range.1 != 0)
        .fold((usize::MAX, 0), |(low, high), (start, end)| {
            (low.min(start), high.max(end))
        });
    // A return address lies after the call, so at most at the function's end.
    let inside = |word: usize| {
        (lowest..=highest).contains(&word)
            && ranges().any(|(start, end)| word > start && word <= end)
    };
    search(stack, inside) && still_stands(stack, inside)
}

/// Whether what was found on the stack is the return address of a function that has not returned.
/// Where the unwinder cannot be had, or does not come so far, it is taken for one: a violation that
/// is not reported is better than a process that is ended for what it takes down.
fn still_stands(stack: usize, wanted: impl Fn(usize) -> bool) -> bool {
    if !native::is_safe() {
        return true;
    }
    let (mut stands, mut reached) = (false, stack);
    native::walk(|address, frame| {
        stands = wanted(address);
        reached = reached.max(frame);
        !stands
    });
    stands || search(reached, wanted)
}

fn search(stack: usize, wanted: impl Fn(usize) -> bool) -> bool {
    let mut address = stack & !(size_of::<usize>() - 1);
    let mut end = address.saturating_add(REACH);
    // The stacks that glibc makes for threads end at the thread's control block; what lies
    // behind is another thread's.
    let control = thread::control_block();
    if control > address && control < end {
        end = control;
    }
    let mut piece = [0usize; PIECE / size_of::<usize>()];
    while address < end {
        // Never across a page boundary, so that the last mapped page is read to its end.
        let words = (PIECE - address % PIECE).min(end - address) / size_of::<usize>();
        // SAFETY: `words` words of `piece` as bytes: any bytes are valid words.
        let buffer = unsafe {
            core::slice::from_raw_parts_mut(
                piece.as_mut_ptr().cast::<u8>(),
                words * size_of::<usize>(),
            )
        };
        if words == 0 || !memory::read(address, buffer) {
            return false;
        }
        if piece[..words].iter().any(|&word| wanted(plain(word))) {
            return true;
        }
        address += words * size_of::<usize>();
    }
    false
}

/// A return address without the signature that a C library with pointer authentication puts into
/// its upper bits.
fn plain(word: usize) -> usize {
    if cfg!(target_arch = "aarch64") {
        word & 0xffff_ffff_ffff
    } else {
        word
    }
}
