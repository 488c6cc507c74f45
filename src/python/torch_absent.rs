//! PyTorch's C++ in a forked child in which CUDA is absent: what its Python side cannot reach.
//!
//! Called at the fork by the Python side, with the GIL. Three things are exchanged, in this process
//! alone, each only where PyTorch's libraries have what is expected:
//!
//! - **The words of CUDA's runtime for "no device"**: what they mean here is that the memory lies on
//!   the parent's GPU.
//! - **Autograd's start.** Its engine counts the devices that the parent saw, starts a thread for
//!   each, and the thread ends the process when the driver refuses it; or, where the parent's engine
//!   had such threads, it refuses to work at all. Without devices it works in the calling thread.
//! - **`torch.Generator`**, whose constructor asks the driver: its device is the Python side's to say.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use super::api::Object;
use super::native::{Method, calls, method};
use crate::sys::elf::{self, file_name};
use crate::sys::{imports, memory, raw};

/// `cudaErrorNoDevice`.
const NO_DEVICE: c_int = 100;

pub(super) static METHOD: Method = method(c"torch", exchange);

type ErrorText = unsafe extern "C" fn(c_int) -> *const c_char;
type StartThreads = unsafe extern "C" fn(*mut c_void);
type New = unsafe extern "C" fn(Object, Object, Object) -> Object;

static NO_DEVICE_TEXT: AtomicPtr<c_char> = AtomicPtr::new(core::ptr::null_mut());
static TRUE_TEXT: AtomicUsize = AtomicUsize::new(0);
static START_THREADS: AtomicUsize = AtomicUsize::new(0);
static TRUE_NEW: AtomicUsize = AtomicUsize::new(0);
static ARGUMENTS: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());

/// `torch(Generator, arguments, text)`: exchanges what there is. `arguments` and `text` are kept by
/// the caller for as long as the process lives.
unsafe extern "C" fn exchange(_module: Object, arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    let (mut generator, mut replaced) = (core::ptr::null_mut::<c_void>(), core::ptr::null_mut());
    let mut text = core::ptr::null_mut::<c_char>();
    // SAFETY: called by the interpreter, with the GIL and a tuple; `y` gives the bytes of an object
    // that the caller keeps.
    let parsed = unsafe {
        (calls.parse)(
            arguments,
            c"OOy".as_ptr(),
            &raw mut generator,
            &raw mut replaced,
            &raw mut text,
        )
    };
    if parsed == 0 {
        return core::ptr::null_mut();
    }
    exchange_text(text);
    exchange_start();
    exchange_new(generator, replaced);
    // SAFETY: the GIL is held.
    unsafe { (calls.build)(c"".as_ptr()) }
}

fn library(start: &[u8]) -> Option<elf::Object> {
    let mut found = None;
    elf::each_object(|object| {
        if object.file_name().starts_with(start) {
            found = Some(*object);
        }
        found.is_none()
    });
    found
}

fn exchange_text(text: *mut c_char) {
    const NAME: &CStr = c"cudaGetErrorString";
    // What stands in the slot may be the loader's own, which would put the true function back.
    let runtime = |object: &elf::Object| object.file_name().starts_with(b"libcudart.so");
    let Some((true_text, _)) = elf::find_in(runtime, NAME) else {
        return;
    };
    TRUE_TEXT.store(true_text, Ordering::Release);
    NO_DEVICE_TEXT.store(text, Ordering::Release);
    if let Some(library) = library(b"libc10_cuda.so") {
        imports::redirect(&library, NAME, error_text as *const () as usize);
    }
}

unsafe extern "C" fn error_text(code: c_int) -> *const c_char {
    if code == NO_DEVICE {
        return NO_DEVICE_TEXT.load(Ordering::Acquire);
    }
    // SAFETY: the runtime's function, stored before this one came into the slot.
    let real: ErrorText = unsafe { core::mem::transmute(TRUE_TEXT.load(Ordering::Acquire)) };
    // SAFETY: takes any number.
    unsafe { real(code) }
}

/// The engines whose start was seen: PyTorch has one of its own and Python's. An address, with
/// [`STARTING`] while its start is under way.
static ENGINES: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
const STARTING: usize = 1;

fn exchange_start() {
    const DEVICES: &CStr = c"_ZN3c104cuda12device_countEv";
    const START: &CStr = c"_ZN5torch8autograd6Engine20start_device_threadsEv";
    const PREPARE: &CStr = c"_ZN5torch8autograd6Engine30initialize_device_threads_poolEv";
    let (Some(cuda), Some(cpu)) = (library(b"libc10_cuda.so"), library(b"libtorch_cpu.so")) else {
        return;
    };
    let Some((start, _)) = cpu.find(START) else {
        return;
    };
    for engine in &ENGINES {
        engine.store(0, Ordering::Relaxed);
    }
    START_THREADS.store(start, Ordering::Release);
    // Devices are counted by the guard that CUDA has registered with the engine.
    if imports::redirect(&cuda, DEVICES, no_devices as *const () as usize) {
        imports::redirect(&cpu, PREPARE, prepare_engine as *const () as usize);
    }
}

extern "C" fn no_devices() -> i8 {
    0
}

/// In place of `Engine::initialize_device_threads_pool`, which refuses in a child of an engine that
/// had threads: lets the engine start, once. Without devices that starts no thread.
unsafe extern "C" fn prepare_engine(engine: *mut c_void) {
    let address = engine as usize;
    for place in &ENGINES {
        loop {
            match place.compare_exchange(
                0,
                address | STARTING,
                Ordering::Acquire,
                Ordering::Acquire,
            ) {
                Ok(_) => {
                    // SAFETY: the engine's own function, found by its name, and the engine that its
                    // own caller gave; stored before this function came into the slot.
                    unsafe {
                        let start: StartThreads =
                            core::mem::transmute(START_THREADS.load(Ordering::Acquire));
                        start(engine);
                    }
                    place.store(address, Ordering::Release);
                    return;
                }
                Err(seen) if seen == address => return,
                Err(seen) if seen == address | STARTING => {
                    // SAFETY: takes nothing.
                    unsafe { libc::sched_yield() };
                }
                Err(_) => break,
            }
        }
    }
}

fn exchange_new(generator: Object, arguments: Object) {
    /// From the end of the object's header to `PyTypeObject.tp_new`.
    const NEW: usize = 296;
    ARGUMENTS.store(arguments, Ordering::Release);
    // The header has 16 bytes, or 32 in a free-threaded interpreter.
    for place in [16, 32].map(|header| generator as usize + header + NEW) {
        let Some(function) = memory::read_word(place) else {
            continue;
        };
        let owner = elf::object_at(function);
        if owner.is_some_and(|owner| file_name(owner.path()).starts_with(b"libtorch_python.so")) {
            TRUE_NEW.store(function, Ordering::Release);
            raw::write_word(place, new_generator as *const () as usize);
            return;
        }
    }
}

unsafe extern "C" fn new_generator(class: Object, arguments: Object, named: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    // SAFETY: called by the interpreter, with the GIL, a tuple and a dict or null; the objects made
    // here are given back, and a null one leaves the exception that is set.
    unsafe {
        let given = if named.is_null() {
            (calls.dict_new)()
        } else {
            (calls.build)(c"O".as_ptr(), named)
        };
        if given.is_null() {
            return given;
        }
        let replaced = ARGUMENTS.load(Ordering::Acquire);
        let pair = (calls.call)(replaced, arguments, given, core::ptr::null_mut::<c_void>());
        (calls.decref)(given);
        if pair.is_null() {
            return pair;
        }
        let (mut arguments, mut named) = (core::ptr::null_mut::<c_void>(), core::ptr::null_mut());
        let parsed = (calls.parse)(pair, c"OO".as_ptr(), &raw mut arguments, &raw mut named);
        let made = if parsed == 0 {
            core::ptr::null_mut()
        } else {
            let real: New = core::mem::transmute(TRUE_NEW.load(Ordering::Acquire));
            real(class, arguments, named)
        };
        (calls.decref)(pair);
        made
    }
}
