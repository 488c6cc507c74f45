//! PyTorch's own refusal, made visible.
//!
//! After a fork of a process that used CUDA, `torch.cuda._lazy_init` asks
//! `torch._C._cuda_isInBadFork` and raises, before any driver call. So the C function behind
//! `_cuda_isInBadFork` is exchanged, in the parent, before it forks: the method table entry of
//! the built-in, which no Python program sees. Ours asks the true one; where the answer is yes and
//! the question comes from `_lazy_init`, CUDA is being used in a forked process.
//! (`torch.cuda.is_initialized` asks it, too, and harmlessly.)
//!
//! This is chosen over holding back torch's `pthread_atfork` handler because torch then behaves
//! in every respect as it does without the guard.

use core::ffi::{CStr, c_int, c_void};
use core::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use super::{api, pending};
use crate::gate::{self, Standing};
use crate::policy;
use crate::report::Kind;
use crate::stack::PythonFrames;
use crate::stack::python;
use crate::sys::elf::{self, Object};
use crate::sys::{memory, raw};

static TRUE_FUNCTION: AtomicUsize = AtomicUsize::new(0);

type NoArguments = unsafe extern "C" fn(*mut c_void, *mut c_void) -> *mut c_void;

/// The process that has asked its main thread to exchange the function.
static PENDING_IN: AtomicI32 = AtomicI32::new(0);

/// CUDA was initialised in this process, perhaps by torch: exchanges the function now, or has the main
/// thread do so where this one does not hold the GIL. C code that forks may not hold it (uWSGI).
pub fn initialised() {
    if api::holds_gil() {
        watch();
    } else if api::is_initialized() {
        pending::ask_once(&PENDING_IN, begin);
    }
}

/// On the main thread, with the GIL; perhaps in a forked child.
unsafe extern "C" fn begin(_nothing: *mut c_void) -> c_int {
    watch();
    0
}

/// Exchanges the function, once torch is imported. Only where the GIL is held: `os.fork` holds it.
pub fn watch() {
    if TRUE_FUNCTION.load(Ordering::Acquire) != 0 || !api::holds_gil() {
        return;
    }
    // SAFETY: the GIL is held, as asked above; the function belongs to its module and stays.
    let Some((function, address)) = (unsafe {
        api::module_attribute(c"torch._C", c"_cuda_isInBadFork")
            .and_then(|function| Some((function, api::c_function(function)?)))
    }) else {
        return;
    };
    let Some(entry) = method_entry(function as usize, address) else {
        return;
    };
    TRUE_FUNCTION.store(address, Ordering::Release);
    let ours = is_in_bad_fork as *const () as usize;
    // The table is torch's own data; written the careful way, for a build that protects it.
    if !raw::write_word(entry, ours) {
        TRUE_FUNCTION.store(0, Ordering::Release);
    }
}

/// Where the object's method table entry keeps the address: `PyCFunctionObject.m_ml` is the
/// first field after the header (16 bytes, or 32 in a free-threaded build), `ml_meth` the second
/// of `PyMethodDef`.
fn method_entry(object: usize, function: usize) -> Option<usize> {
    [16, 32].into_iter().find_map(|header| {
        let definition = memory::read_word(object + header)?;
        let place = definition.checked_add(size_of::<usize>())?;
        (memory::read_word(place)? == function).then_some(place)
    })
}

unsafe extern "C" fn is_in_bad_fork(module: *mut c_void, arguments: *mut c_void) -> *mut c_void {
    // SAFETY: stored before this function was put into the table; a C function without arguments.
    let real: NoArguments = unsafe { core::mem::transmute(TRUE_FUNCTION.load(Ordering::Acquire)) };
    // SAFETY: the interpreter's own arguments.
    let answer = unsafe { real(module, arguments) };
    if api::py_true() != Some(answer as usize) {
        return answer;
    }
    if gate::standing() == Standing::Forked && asked_by_lazy_init() {
        let call = policy::Call {
            kind: Kind::TorchRefusal,
            name: c"torch.cuda._lazy_init",
            caller: real as *const () as usize,
        };
        policy::used(&call);
    }
    if gate::standing() == Standing::Forked {
        return answer;
    }
    // Forked, and with a driver of its own: PyTorch is as good here as where it was not forked. Its
    // C++ asserts so, too.
    if !forget_fork() {
        return answer;
    }
    // SAFETY: called by the interpreter, with the GIL; the reference to the other answer is given
    // back, which is never freed either.
    unsafe {
        match (api::new_false(), super::native::calls()) {
            (Some(no), Some(calls)) => {
                (calls.decref)(answer);
                no
            }
            _ => answer,
        }
    }
}

/// `torch::utils::set_device_in_bad_fork(c10::DeviceType, bool)`, which newer ones have.
const SETTER: &CStr = c"_ZN5torch5utils22set_device_in_bad_forkEN3c1010DeviceTypeEb";
/// `c10::DeviceType::CUDA`.
const CUDA: i8 = 1;

fn setter() -> Option<usize> {
    let is_torchs = |object: &Object| object.file_name().starts_with(b"libtorch_python.so");
    elf::find_in(is_torchs, SETTER).map(|(address, _)| address)
}

/// Whether PyTorch can be told that its fork does not matter.
pub fn can_forget_fork() -> bool {
    setter().is_some()
}

/// Tells it. False where it has no way to know.
fn forget_fork() -> bool {
    let Some(setter) = setter() else {
        return false;
    };
    // SAFETY: PyTorch's function of this name, whose parameters the name spells out.
    let set: unsafe extern "C" fn(i8, bool) = unsafe { core::mem::transmute(setter) };
    // SAFETY: it stores the value in an array that has a place for each type of device.
    unsafe { set(CUDA, false) };
    true
}

fn asked_by_lazy_init() -> bool {
    let mut frames = PythonFrames::EMPTY;
    python::capture(&mut frames);
    frames
        .iter()
        .next()
        .is_some_and(|frame| frame.function == "_lazy_init")
}
