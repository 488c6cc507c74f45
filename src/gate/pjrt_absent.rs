//! What XLA's plugin answers in a forked child in which CUDA is absent (the policy `cpu`).
//!
//! A PJRT function returns an error object or null. Only the plugin can make such objects, and it
//! would have to work with threads that the child does not have. So the answer to every use is one
//! object of our own, and the functions that read and free errors, which the program has in our
//! form, know it. What frees the parent's objects succeeds and does nothing: their destructors call
//! the driver and wait for those threads. Whoever waits for work is called back at once, with the
//! error; XLA takes it for granted that a wait can be begun, and aborts where it cannot.
//!
//! Nothing here locks, allocates, or calls the loader.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_int, c_void};
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::code;
use super::pjrt::TABLES;
use super::slots::{self, Index};
use crate::lineage;
use crate::report::buffer::Buffer;

/// `PJRT_Error_Code_FAILED_PRECONDITION`: the operation is fine, and this is not the place for it.
const FAILED_PRECONDITION: c_int = 9;
const TEXT: usize = 512;

/// Our error object: what counts is its address.
static ERROR: u8 = 0;

struct Text(UnsafeCell<([u8; TEXT], usize)>);

// SAFETY: written by the one thread that takes `STATE` from `UNWRITTEN`, and read once it is
// `WRITTEN`.
unsafe impl Sync for Text {}

static MESSAGE: Text = Text(UnsafeCell::new(([0; TEXT], 0)));
static STATE: AtomicU32 = AtomicU32::new(UNWRITTEN);
const UNWRITTEN: u32 = 0;
const WRITING: u32 = 1;
const WRITTEN: u32 = 2;

/// For a thread that comes while another writes the message.
const BRIEFLY: &str = "CUDA is absent in this forked process; its parent process has it";

/// The functions that read or free an error, by what they do.
#[derive(Clone, Copy)]
enum Reader {
    Destroy = 0,
    Message = 1,
    GetCode = 2,
    ForEachPayload = 3,
}

const READERS: usize = 4;

/// The plugin's own readers, of each table.
static ORIGINALS: [[AtomicUsize; READERS]; TABLES] =
    [const { [const { AtomicUsize::new(0) }; READERS] }; TABLES];

/// The arguments of all readers: they begin alike (`pjrt_c_api.h`), and two give something back.
#[repr(C)]
struct Arguments {
    size: usize,
    extension: *mut c_void,
    error: *const c_void,
    given: Given,
}

#[repr(C)]
union Given {
    code: c_int,
    message: Message,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Message {
    text: *const u8,
    len: usize,
}

type ReaderFn = unsafe extern "C" fn(*mut Arguments) -> *mut c_void;

/// What the program gets in the place of `original`, if that reads or frees errors of table
/// `table`.
pub fn reader(name: &CStr, table: usize, original: usize) -> Option<usize> {
    let reader = match name.to_bytes() {
        b"PJRT_Error_Destroy" => Reader::Destroy,
        b"PJRT_Error_Message" => Reader::Message,
        b"PJRT_Error_GetCode" => Reader::GetCode,
        b"PJRT_Error_ForEachPayload" => Reader::ForEachPayload,
        _ => return None,
    };
    let ours = match table {
        0 => of_table::<0>(reader),
        1 => of_table::<1>(reader),
        2 => of_table::<2>(reader),
        3 => of_table::<3>(reader),
        _ => return None,
    };
    ORIGINALS[table][reader as usize].store(original, Ordering::Release);
    Some(ours as *const () as usize)
}

const _: () = assert!(TABLES == 4, "`reader` tells each table's functions apart");

fn of_table<const TABLE: usize>(reader: Reader) -> ReaderFn {
    match reader {
        Reader::Destroy => read::<TABLE, { Reader::Destroy as usize }>,
        Reader::Message => read::<TABLE, { Reader::Message as usize }>,
        Reader::GetCode => read::<TABLE, { Reader::GetCode as usize }>,
        Reader::ForEachPayload => read::<TABLE, { Reader::ForEachPayload as usize }>,
    }
}

/// Two of the four return nothing; what is returned for them nobody reads.
unsafe extern "C" fn read<const TABLE: usize, const READER: usize>(
    arguments: *mut Arguments,
) -> *mut c_void {
    // SAFETY: each of the four is called with arguments that begin as `Arguments` does.
    if unsafe { (*arguments).error } != (&raw const ERROR).cast() {
        // SAFETY: stored before this function was given out: the plugin's function of this name,
        // which takes one pointer.
        let original: ReaderFn =
            unsafe { core::mem::transmute(ORIGINALS[TABLE][READER].load(Ordering::Acquire)) };
        // SAFETY: the caller's own arguments.
        return unsafe { original(arguments) };
    }
    if READER == Reader::Message as usize {
        // SAFETY: these arguments have room for a text and its length.
        unsafe { (*arguments).given.message = message() };
    } else if READER == Reader::GetCode as usize {
        // SAFETY: these arguments have room for a code.
        unsafe { (*arguments).given.code = FAILED_PRECONDITION };
    }
    core::ptr::null_mut()
}

fn message() -> Message {
    let mut said = BRIEFLY.as_bytes();
    if STATE.load(Ordering::Acquire) == WRITTEN {
        // SAFETY: written, and never again.
        let (text, len) = unsafe { &*MESSAGE.0.get() };
        said = &text[..*len];
    }
    Message {
        text: said.as_ptr(),
        len: said.len(),
    }
}

/// What is jumped to in the place of a function that frees an object of the parent's; `None` for
/// other functions.
pub fn release(index: Index) -> Option<usize> {
    let name = slots::name(index).to_bytes();
    let frees = name.ends_with(b"_Destroy") || name.ends_with(b"_Delete");
    frees.then(|| code::answer(0))
}

/// What is jumped to in the place of a use; `None` where the plugin's own function is called: it
/// gives out what can be waited for.
pub fn refusal(index: Index) -> Option<usize> {
    write_message();
    match slots::name(index).to_bytes() {
        b"PJRT_Buffer_ReadyEvent" => None,
        b"PJRT_Event_OnReady" => Some(on_ready as *const () as usize),
        _ => Some(refuse as *const () as usize),
    }
}

unsafe extern "C" fn refuse() -> *const c_void {
    (&raw const ERROR).cast()
}

/// The arguments of `PJRT_Event_OnReady` (`pjrt_c_api.h`).
#[repr(C)]
struct OnReady {
    size: usize,
    extension: *mut c_void,
    event: *mut c_void,
    callback: unsafe extern "C" fn(error: *const c_void, argument: *mut c_void),
    argument: *mut c_void,
}

unsafe extern "C" fn on_ready(arguments: *const OnReady) -> *const c_void {
    // SAFETY: stands in the place of a function that is called with these arguments, and that may
    // call back before it returns.
    unsafe { ((*arguments).callback)((&raw const ERROR).cast(), (*arguments).argument) };
    core::ptr::null()
}

/// In the words of the process at hand; a grandchild says the same.
fn write_message() {
    let begun = STATE.compare_exchange(UNWRITTEN, WRITING, Ordering::AcqRel, Ordering::Acquire);
    if begun.is_err() {
        return;
    }
    // SAFETY: this thread alone was let through.
    let (text, len) = unsafe { &mut *MESSAGE.0.get() };
    let mut buffer = Buffer::new(text);
    buffer.put(format_args!(
        "this needs the GPU, and CUDA is absent in this forked process: arrays and executables on \
         the GPU live in the parent process (pid {}). Before the fork, bring to the host what the \
         child needs, with jax.device_get. (forkguard, policy cpu)",
        lineage::initialisation().pid,
    ));
    *len = buffer.end();
    STATE.store(WRITTEN, Ordering::Release);
}
