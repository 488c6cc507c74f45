//! The functions of the C API that the guard calls, as the interpreter in this process has them.

use core::ffi::{CStr, c_char, c_ulong, c_void};
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::stack::python::version;
use crate::sys::{elf, modules};

/// A Python object.
pub type Object = *mut c_void;

type StateGetter = unsafe extern "C" fn() -> Object;

/// A function or variable of the interpreter, found once.
pub struct Symbol(AtomicUsize);

impl Symbol {
    const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    fn find(&self, name: &CStr) {
        if self.0.load(Ordering::Relaxed) == 0
            && let Some(address) = elf::find_in_python(name)
        {
            self.0.store(address, Ordering::Release);
        }
    }

    /// Its address, where the interpreter has it.
    pub fn get(&self) -> Option<usize> {
        Some(self.0.load(Ordering::Acquire)).filter(|&address| address != 0)
    }
}

pub(super) static ADD_PENDING_CALL: Symbol = Symbol::new();
static IS_INITIALIZED: Symbol = Symbol::new();
static THREAD_STATE: Symbol = Symbol::new();
static THREAD_STATE_OLD: Symbol = Symbol::new();
static GIL_STATE: Symbol = Symbol::new();
static INTERPRETER: Symbol = Symbol::new();
static MAIN_INTERPRETER: Symbol = Symbol::new();
static MODULES: Symbol = Symbol::new();
static MODULE_DICT: Symbol = Symbol::new();
static GET_ITEM: Symbol = Symbol::new();
static FUNCTION: Symbol = Symbol::new();
static ERR_OCCURRED: Symbol = Symbol::new();
static TRUE: Symbol = Symbol::new();
static FALSE: Symbol = Symbol::new();
/// A number, present from 3.11 on.
static VERSION: Symbol = Symbol::new();
/// Present from 3.12 on, where the thread state is kept in a thread-local variable.
static SINCE_312: Symbol = Symbol::new();

/// Finds the functions. After [`modules::refresh`]; calls the loader only when
/// something was loaded since.
pub fn prepare() {
    static LOOKED: AtomicU64 = AtomicU64::new(0);
    let loaded = modules::changes();
    if MODULES.get().is_some() || LOOKED.load(Ordering::Relaxed) == loaded {
        return;
    }
    LOOKED.store(loaded, Ordering::Relaxed);
    MODULES.find(c"PyImport_GetModuleDict");
    if MODULES.get().is_some() {
        for (symbol, name) in [
            (&IS_INITIALIZED, c"Py_IsInitialized"),
            (&ADD_PENDING_CALL, c"Py_AddPendingCall"),
            (&THREAD_STATE, c"PyThreadState_GetUnchecked"),
            (&THREAD_STATE_OLD, c"_PyThreadState_UncheckedGet"),
            (&GIL_STATE, c"PyGILState_GetThisThreadState"),
            (&INTERPRETER, c"PyInterpreterState_Get"),
            (&MAIN_INTERPRETER, c"PyInterpreterState_Main"),
            (&MODULE_DICT, c"PyModule_GetDict"),
            (&GET_ITEM, c"PyDict_GetItemString"),
            (&FUNCTION, c"PyCFunction_GetFunction"),
            (&TRUE, c"_Py_TrueStruct"),
            (&FALSE, c"_Py_FalseStruct"),
            (&ERR_OCCURRED, c"PyErr_Occurred"),
            (&SINCE_312, c"PyUnstable_InterpreterFrame_GetLine"),
            (&VERSION, c"Py_Version"),
        ] {
            symbol.find(name);
        }
    }
}

/// Whether there is an interpreter that is initialised.
pub fn is_initialized() -> bool {
    let Some(initialized) = IS_INITIALIZED.get() else {
        return false;
    };
    // SAFETY: `int Py_IsInitialized(void)`, callable without the GIL.
    let initialized: unsafe extern "C" fn() -> i32 = unsafe { core::mem::transmute(initialized) };
    // SAFETY: as above.
    unsafe { initialized() != 0 }
}

/// The interpreter's minor version, where it is newer than any that is known.
pub fn newer_than_known() -> Option<u32> {
    // SAFETY: `const unsigned long Py_Version`, of an interpreter that runs.
    let number = unsafe { *(VERSION.get()? as *const c_ulong) };
    version::minor_of_number(number).filter(|&minor| minor > version::NEWEST)
}

/// Whether the interpreter is 3.12 or newer.
pub fn since_312() -> bool {
    SINCE_312.get().is_some()
}

/// Whether the interpreter is 3.13 or newer.
pub fn since_313() -> bool {
    THREAD_STATE.get().is_some()
}

/// Whether a Python exception is set.
///
/// # Safety
/// The GIL must be held.
pub unsafe fn error_is_set() -> bool {
    let Some(occurred) = ERR_OCCURRED.get() else {
        return false;
    };
    // SAFETY: `PyObject *PyErr_Occurred(void)`.
    let occurred: StateGetter = unsafe { core::mem::transmute(occurred) };
    // SAFETY: the GIL is held, says the caller.
    unsafe { !occurred().is_null() }
}

/// Whether the calling thread holds the GIL (or, free-threaded, is attached).
/// `PyGILState_Check` answers 1 without it once a subinterpreter exists.
pub fn holds_gil() -> bool {
    if !is_initialized() {
        return false;
    }
    let Some(current) = THREAD_STATE.get().or_else(|| THREAD_STATE_OLD.get()) else {
        return false;
    };
    let Some(own) = GIL_STATE.get() else {
        return false;
    };
    // SAFETY: both are `PyThreadState *f(void)`, callable without the GIL.
    let (current, own): (StateGetter, StateGetter) = unsafe {
        (
            core::mem::transmute::<usize, StateGetter>(current),
            core::mem::transmute::<usize, StateGetter>(own),
        )
    };
    // SAFETY: as above.
    let state = unsafe { current() };
    // To 3.11 the current thread state is the process's, whoever holds the GIL.
    // SAFETY: as above.
    !state.is_null() && (SINCE_312.get().is_some() || state == unsafe { own() })
}

/// Whether the calling thread, which holds the GIL, runs in the first interpreter. In 3.8, which
/// does not say it, no other one can fork.
pub fn is_main_interpreter() -> bool {
    let Some((current, main)) = INTERPRETER.get().zip(MAIN_INTERPRETER.get()) else {
        return true;
    };
    // SAFETY: both are `PyInterpreterState *f(void)`; the first needs the GIL, which is held, says
    // the caller.
    unsafe {
        let current = core::mem::transmute::<usize, StateGetter>(current);
        let main = core::mem::transmute::<usize, StateGetter>(main);
        current() == main()
    }
}

/// The function `name` of the imported module `module`, borrowed.
///
/// # Safety
/// The GIL must be held.
pub unsafe fn module_attribute(module: &CStr, name: &CStr) -> Option<Object> {
    let (modules, dict, item) = (MODULES.get()?, MODULE_DICT.get()?, GET_ITEM.get()?);
    // SAFETY: `PyObject *PyImport_GetModuleDict(void)`.
    let modules: unsafe extern "C" fn() -> Object = unsafe { core::mem::transmute(modules) };
    // SAFETY: `PyObject *PyModule_GetDict(PyObject *)`.
    let dict: unsafe extern "C" fn(Object) -> Object = unsafe { core::mem::transmute(dict) };
    // SAFETY: `PyObject *PyDict_GetItemString(PyObject *, const char *)`, which suppresses errors.
    let item: unsafe extern "C" fn(Object, *const c_char) -> Object =
        unsafe { core::mem::transmute(item) };
    // SAFETY: the caller holds the GIL; each step's object is borrowed from the one before, and
    // only used while it is not null.
    unsafe {
        let modules = modules();
        if modules.is_null() {
            return None;
        }
        let module = item(modules, module.as_ptr());
        if module.is_null() {
            return None;
        }
        let dict = dict(module);
        if dict.is_null() {
            return None;
        }
        let object = item(dict, name.as_ptr());
        (!object.is_null()).then_some(object)
    }
}

/// The C function behind a built-in function object.
///
/// # Safety
/// The GIL must be held, and `object` be alive.
pub unsafe fn c_function(object: Object) -> Option<usize> {
    // SAFETY: `PyCFunction PyCFunction_GetFunction(PyObject *)`.
    let function: unsafe extern "C" fn(Object) -> usize =
        unsafe { core::mem::transmute(FUNCTION.get()?) };
    // SAFETY: the GIL is held and the object alive; of another type it answers null with an
    // error set, which the caller rules out by its choice of object.
    Some(unsafe { function(object) }).filter(|&address| address != 0)
}

/// `Py_False`, a reference of the caller's own (as returned to Python by a C function).
///
/// # Safety
/// The GIL must be held.
pub unsafe fn new_false() -> Option<Object> {
    let object = FALSE.get()? as Object;
    // SAFETY: an object that is never freed; the GIL is held, says the caller.
    unsafe { (super::native::calls()?.incref)(object) };
    Some(object)
}

/// `Py_True`.
pub fn py_true() -> Option<usize> {
    TRUE.get()
}
