//! The C API that running Python code needs, and the functions that the adapter calls back.

use core::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};
use core::sync::atomic::{AtomicBool, Ordering};

use super::api::Object;
use super::template;
use crate::policy::exec::{self, Rewrite};
use crate::sys::elf;
use crate::{config, family, semaphores};

/// Functions of the interpreter; all but the first one need the GIL.
#[derive(Clone, Copy)]
#[allow(
    missing_docs,
    reason = "the interpreter's own names, in its documentation"
)]
pub struct Calls {
    pub add_audit_hook: unsafe extern "C" fn(
        unsafe extern "C" fn(*const c_char, *mut c_void, *mut c_void) -> c_int,
        *mut c_void,
    ) -> c_int,
    pub dict_new: unsafe extern "C" fn() -> Object,
    pub dict_set: unsafe extern "C" fn(Object, *const c_char, Object) -> c_int,
    pub dict_get: unsafe extern "C" fn(Object, *const c_char) -> Object,
    pub builtins: unsafe extern "C" fn() -> Object,
    pub string: unsafe extern "C" fn(*const c_char, isize) -> Object,
    pub compile: unsafe extern "C" fn(*const c_char, *const c_char, c_int) -> Object,
    pub eval: unsafe extern "C" fn(Object, Object, Object) -> Object,
    pub decref: unsafe extern "C" fn(Object),
    pub incref: unsafe extern "C" fn(Object),
    pub call: unsafe extern "C" fn(Object, ...) -> Object,
    pub long: unsafe extern "C" fn(Object) -> c_long,
    pub frame: unsafe extern "C" fn() -> Object,
    pub err_clear: unsafe extern "C" fn(),
    pub err_check_signals: unsafe extern "C" fn() -> c_int,
    pub err_set_interrupt: unsafe extern "C" fn(),
    pub err_matches: unsafe extern "C" fn(Object) -> c_int,
    pub function: unsafe extern "C" fn(*const Method, Object, Object) -> Object,
    pub parse: unsafe extern "C" fn(Object, *const c_char, ...) -> c_int,
    pub build: unsafe extern "C" fn(*const c_char, ...) -> Object,
    pub release: unsafe extern "C" fn(*mut c_void),
    pub bytes_new: unsafe extern "C" fn(*const c_char, isize) -> Object,
    pub bytes_read: unsafe extern "C" fn(Object, *mut *mut c_char, *mut isize) -> c_int,
    pub save_thread: unsafe extern "C" fn() -> *mut c_void,
    pub restore_thread: unsafe extern "C" fn(*mut c_void),
    /// `PyExc_Exception`, the variable.
    pub exception: *const Object,
}

// SAFETY: addresses of an interpreter that is never unloaded.
unsafe impl Sync for Calls {}

struct Cell(core::cell::UnsafeCell<Option<Calls>>);

// SAFETY: written by the one thread that `BEGUN` lets through, before `READY` is set.
unsafe impl Sync for Cell {}

static CALLS: Cell = Cell(core::cell::UnsafeCell::new(None));
static BEGUN: AtomicBool = AtomicBool::new(false);
static READY: AtomicBool = AtomicBool::new(false);

/// The functions, once all of them were found. After [`super::api::prepare`], which finds the
/// interpreter.
pub fn calls() -> Option<&'static Calls> {
    if !READY.load(Ordering::Acquire) {
        if !super::api::is_initialized() || BEGUN.swap(true, Ordering::AcqRel) {
            return None;
        }
        let Some(found) = find() else {
            BEGUN.store(false, Ordering::Release);
            return None;
        };
        // SAFETY: `BEGUN` lets one thread come here.
        unsafe { *CALLS.0.get() = Some(found) };
        READY.store(true, Ordering::Release);
    }
    // SAFETY: `READY` says that it is written and stays.
    unsafe { (*CALLS.0.get()).as_ref() }
}

#[allow(
    clippy::missing_transmute_annotations,
    reason = "each field of `Calls` says its type"
)]
fn find() -> Option<Calls> {
    macro_rules! function {
        ($name:literal) => {
            // SAFETY: the interpreter's function of this name, of the type that the field has.
            unsafe { core::mem::transmute(elf::find_in_python($name)?) }
        };
    }
    Some(Calls {
        add_audit_hook: function!(c"PySys_AddAuditHook"),
        dict_new: function!(c"PyDict_New"),
        dict_set: function!(c"PyDict_SetItemString"),
        dict_get: function!(c"PyDict_GetItemString"),
        builtins: function!(c"PyEval_GetBuiltins"),
        string: function!(c"PyUnicode_FromStringAndSize"),
        compile: function!(c"Py_CompileString"),
        eval: function!(c"PyEval_EvalCode"),
        decref: function!(c"Py_DecRef"),
        incref: function!(c"Py_IncRef"),
        call: function!(c"PyObject_CallFunctionObjArgs"),
        long: function!(c"PyLong_AsLong"),
        frame: function!(c"PyEval_GetFrame"),
        err_check_signals: function!(c"PyErr_CheckSignals"),
        err_clear: function!(c"PyErr_Clear"),
        err_set_interrupt: function!(c"PyErr_SetInterrupt"),
        err_matches: function!(c"PyErr_ExceptionMatches"),
        function: function!(c"PyCFunction_NewEx"),
        parse: function!(c"PyArg_ParseTuple"),
        build: function!(c"Py_BuildValue"),
        release: function!(c"PyBuffer_Release"),
        bytes_new: function!(c"PyBytes_FromStringAndSize"),
        bytes_read: function!(c"PyBytes_AsStringAndSize"),
        save_thread: function!(c"PyEval_SaveThread"),
        restore_thread: function!(c"PyEval_RestoreThread"),
        exception: elf::find_in_python(c"PyExc_Exception")? as *const Object,
    })
}

pub(super) type Function = unsafe extern "C" fn(Object, Object) -> Object;

/// `PyMethodDef`.
#[repr(C)]
pub struct Method {
    name: *const c_char,
    function: Function,
    flags: c_int,
    doc: *const c_char,
}

// SAFETY: never written.
unsafe impl Sync for Method {}

/// `METH_VARARGS`.
const ARGUMENTS: c_int = 1;

pub(super) const fn method(name: &'static CStr, function: Function) -> Method {
    Method {
        name: name.as_ptr(),
        function,
        flags: ARGUMENTS,
        doc: core::ptr::null(),
    }
}

static METHODS: [Method; 9] = [
    method(c"semaphore", semaphore),
    method(c"is_our_fd", is_our_fd),
    method(c"same", super::memory::same),
    method(c"settings", settings),
    method(c"directory", super::spawn::directory),
    method(c"payload", super::spawn::payload),
    method(c"rights", super::spawn::rights),
    method(c"spawn", super::spawn::spawn),
    method(c"tell", tell),
];

/// Puts the functions into a dict.
///
/// # Safety
/// The GIL must be held.
pub unsafe fn fill(calls: &Calls, dict: Object) -> bool {
    // SAFETY: the GIL is held, says the caller.
    unsafe { put(calls, dict, METHODS.iter().chain(&template::METHODS)) }
}

/// Puts functions into a dict, each under its name.
///
/// # Safety
/// The GIL must be held.
pub(super) unsafe fn put(
    calls: &Calls,
    dict: Object,
    mut methods: impl Iterator<Item = &'static Method>,
) -> bool {
    methods.all(|method| {
        // SAFETY: the GIL is held; the method's definition is static.
        unsafe {
            let function = (calls.function)(method, core::ptr::null_mut(), core::ptr::null_mut());
            if function.is_null() {
                return false;
            }
            let done = (calls.dict_set)(dict, method.name, function) == 0;
            (calls.decref)(function);
            done
        }
    })
}

/// `semaphore(handle)`: `(fd, offset)` of the page that holds it, or `None`.
unsafe extern "C" fn semaphore(_module: Object, arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    let mut handle = 0_u64;
    // SAFETY: called by the interpreter, with the GIL and a tuple; `K` takes an unsigned 64 bits.
    unsafe {
        if (calls.parse)(arguments, c"K".as_ptr(), &raw mut handle) == 0 {
            return core::ptr::null_mut();
        }
        match semaphores::find(handle as usize) {
            Some((fd, offset)) => (calls.build)(c"in".as_ptr(), fd, offset),
            None => (calls.build)(c"".as_ptr()),
        }
    }
}

/// `is_our_fd(fd)`: whether the fd holds such pages, or is what this process shares with its family.
unsafe extern "C" fn is_our_fd(_module: Object, arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    let mut fd: c_int = -1;
    // SAFETY: as in `semaphore`; `i` takes an int.
    unsafe {
        if (calls.parse)(arguments, c"i".as_ptr(), &raw mut fd) == 0 {
            return core::ptr::null_mut();
        }
        (calls.build)(
            c"i".as_ptr(),
            c_int::from(semaphores::is_ours(fd) || family::is_ours(fd)),
        )
    }
}

/// `settings()`: the path of this library and the policy chain, as bytes.
unsafe extern "C" fn settings(_module: Object, _arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    let mut room = [0; 64];
    let chain = exec::chain(&mut room);
    let mut path = elf::Object::EMPTY;
    elf::each_object(|object| {
        let ours = object.is_ours();
        if ours {
            path = *object;
        }
        !ours
    });
    let path = path.path();
    // SAFETY: as in `semaphore`; `y#` takes a pointer and a `Py_ssize_t`, or, to 3.9, where
    // PY_SSIZE_T_CLEAN was not asked for, an int: both lengths fit both.
    unsafe {
        let path = bytes(calls, path);
        let chain = bytes(calls, &room[..chain]);
        (calls.build)(c"NN".as_ptr(), path, chain)
    }
}

/// A `str`; bytes that are no UTF-8 come out as the file system's names do.
unsafe fn bytes(calls: &Calls, text: &[u8]) -> Object {
    // SAFETY: the GIL is held by the caller, and the slice is alive.
    unsafe { (calls.string)(text.as_ptr().cast(), text.len() as isize) }
}

/// `tell(child, way, process, reason, suspicious, payload, took_us)`: a rewritten fork, or, with the
/// child 0, a refused one.
unsafe extern "C" fn tell(_module: Object, arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    let mut child: c_int = 0;
    let (mut way, mut process, mut reason, mut suspicious) = (
        core::ptr::null::<c_char>(),
        core::ptr::null::<c_char>(),
        core::ptr::null::<c_char>(),
        core::ptr::null::<c_char>(),
    );
    let (mut payload, mut took) = (0_u64, 0 as c_uint);
    // SAFETY: as in `semaphore`; `s` gives a C string that lives as long as its object, which the
    // tuple keeps alive.
    unsafe {
        if (calls.parse)(
            arguments,
            c"issssKI".as_ptr(),
            &raw mut child,
            &raw mut way,
            &raw mut process,
            &raw mut reason,
            &raw mut suspicious,
            &raw mut payload,
            &raw mut took,
        ) == 0
        {
            return core::ptr::null_mut();
        }
        let text = |at: *const c_char| CStr::from_ptr(at).to_str().unwrap_or("");
        let rewrite = Rewrite {
            child: Some(child).filter(|&pid| pid > 0),
            way: text(way),
            process: text(process),
            reason: text(reason),
            suspicious: text(suspicious),
            payload,
            took_us: u64::from(took),
            replaced: None,
        };
        if rewrite.child.is_none() {
            exec::refuse(rewrite.reason);
        }
        exec::tell(&rewrite);
        (calls.build)(c"i".as_ptr(), c_int::from(config::get().verbose))
    }
}
