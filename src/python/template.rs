//! The warm template's side of Python: when the interpreter is told to make one, and the functions
//! by which the adapter, in the program and in the template, reaches [`crate::template`].

use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::sync::atomic::{AtomicI32, Ordering};

use super::adapter;
use super::api::{self, Object};
use super::hash_secret;
use super::native::{Calls, Method, calls, method};
use super::pending;
use crate::config::{self, Template};
use crate::policy::exec;
use crate::sys::{descriptors, modules, raw};
use crate::template::wire::Asked;
use crate::template::{server, start};

/// Processor time after which importing again is worth saving.
const HEAVY_NS: u64 = 300_000_000;

/// The process that has asked its main thread to start a template.
static PENDING_IN: AtomicI32 = AtomicI32::new(0);

/// CUDA was initialised in this process: has the main thread start a template, where it pays, when
/// it comes back to Python code. Here the caller may hold any lock of a library's.
pub fn initialised() {
    let config = config::get();
    let pays = match config.template {
        Template::Always => true,
        Template::WhereItPays => used_processor_ns() > HEAVY_NS,
        Template::Never => false,
    };
    if !config.rewrites() || !pays || !api::is_initialized() {
        return;
    }
    if calls().is_some() {
        pending::ask_once(&PENDING_IN, begin);
    }
}

fn used_processor_ns() -> u64 {
    raw::clock_ns(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// On the main thread, with the GIL. A pending call is inherited: it may run in a forked child.
unsafe extern "C" fn begin(_nothing: *mut c_void) -> c_int {
    let ours = PENDING_IN.load(Ordering::Relaxed) == raw::getpid();
    if ours && !adapter::initialised() {
        -1
    } else {
        0
    }
}

pub(super) static METHODS: [Method; 10] = [
    method(c"template_settings", settings),
    method(c"template_start", start_one),
    method(c"template_ask", ask),
    method(c"template_prepare", prepare),
    method(c"template_settle", settle),
    method(c"template_next", next),
    method(c"template_become", become_worker),
    method(c"template_go", go),
    method(c"template_fail", fail),
    method(c"template_sleep", sleep),
];

/// A new dict of every function that the adapter calls.
///
/// # Safety
/// The GIL must be held.
pub unsafe fn natives() -> Object {
    modules::refresh();
    super::prepare();
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    // SAFETY: the GIL is held.
    unsafe {
        let dict = (calls.dict_new)();
        if dict.is_null() || super::native::fill(calls, dict) {
            return dict;
        }
        (calls.decref)(dict);
        core::ptr::null_mut()
    }
}

/// The bytes of a `bytes` object, which live as long as it does.
unsafe fn bytes_of<'a>(calls: &Calls, object: Object) -> Option<&'a [u8]> {
    let (mut at, mut length) = (core::ptr::null_mut::<c_char>(), 0_isize);
    // SAFETY: the GIL is held by the caller; of another type this answers -1 with an exception.
    unsafe {
        if (calls.bytes_read)(object, &raw mut at, &raw mut length) != 0 {
            return None;
        }
        Some(core::slice::from_raw_parts(at.cast(), length as usize))
    }
}

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// `template_settings()`: 0 never, 1 where it pays, 2 always; and this process's environment as C
/// has it, each entry ended by a NUL.
unsafe extern "C" fn settings(_module: Object, _arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    let wanted: c_int = match config::get().template {
        Template::Never => 0,
        Template::WhereItPays => 1,
        Template::Always => 2,
    };
    let mut text = Vec::new();
    // SAFETY: the GIL is held, so that no Python code changes the array, which ends with null.
    unsafe {
        let mut entry = environ;
        while !entry.is_null() && !(*entry).is_null() {
            text.extend_from_slice(CStr::from_ptr(*entry).to_bytes_with_nul());
            entry = entry.add(1);
        }
        let text = (calls.bytes_new)(text.as_ptr().cast(), text.len() as isize);
        (calls.build)(c"iN".as_ptr(), wanted, text)
    }
}

/// The strings in a row of them, each ended by a NUL, and a null at the end.
fn strings(row: &[u8]) -> Vec<*const c_char> {
    let mut found: Vec<_> = row
        .split_inclusive(|&b| b == 0)
        .map(|text| text.as_ptr().cast())
        .collect();
    found.push(core::ptr::null());
    found
}

/// `template_start(program, arguments, environment, orders)`: the template's pid, or less than 0;
/// and what `template_ask` is to be given.
unsafe extern "C" fn start_one(_module: Object, arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    let mut rows = [core::ptr::null_mut::<c_void>(); 3];
    let mut orders: c_int = -1;
    let [program, line, environment] = &mut rows;
    // SAFETY: called by the interpreter, with the GIL and a tuple; `S` takes a bytes object, which
    // the tuple keeps alive.
    unsafe {
        if (calls.parse)(
            arguments,
            c"SSSi".as_ptr(),
            &raw mut *program,
            &raw mut *line,
            &raw mut *environment,
            &raw mut orders,
        ) == 0
        {
            return core::ptr::null_mut();
        }
        let [Some(program), Some(line), Some(environment)] = rows.map(|row| bytes_of(calls, row))
        else {
            return core::ptr::null_mut();
        };
        // Python ends the memory of every bytes object with a NUL.
        let program = CStr::from_ptr(program.as_ptr().cast());
        let (line, environment) = (strings(line), strings(environment));
        let secret = hash_secret::variable();
        let environment = super::spawn::fresh_environment(environment.as_ptr(), secret.as_ref());
        let (pid, known) = match start::start(program, &line, &environment, orders) {
            Ok(started) => (started.pid, Some(started)),
            Err(errno) => (-errno, None),
        };
        let known = known
            .as_ref()
            .map_or(&[][..], |known: &start::Started| -> &[u8] {
                core::slice::from_raw_parts((&raw const *known).cast(), size_of::<start::Started>())
            });
        let known = (calls.bytes_new)(known.as_ptr().cast(), known.len() as isize);
        (calls.build)(c"iN".as_ptr(), pid, known)
    }
}

/// `template_ask(template, body, files, milliseconds)`: the worker's pid, 0 where the template
/// cannot serve this one, -1 where it never will, -2 where it is not ready, -3 where a signal
/// came meanwhile. `files` are numbers as C lays them.
unsafe extern "C" fn ask(_module: Object, arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    let mut rows = [core::ptr::null_mut::<c_void>(); 3];
    let mut patience: c_int = 0;
    let [template, body, files] = &mut rows;
    // SAFETY: as in `start_one`. While the GIL is given up, the bytes are kept by the tuple, which
    // the calling frame keeps.
    unsafe {
        if (calls.parse)(
            arguments,
            c"SSSi".as_ptr(),
            &raw mut *template,
            &raw mut *body,
            &raw mut *files,
            &raw mut patience,
        ) == 0
        {
            return core::ptr::null_mut();
        }
        let [Some(template), Some(body), Some(files)] = rows.map(|row| bytes_of(calls, row)) else {
            return core::ptr::null_mut();
        };
        if template.len() != size_of::<start::Started>() {
            return (calls.build)(c"i".as_ptr(), -1);
        }
        let template = template.as_ptr().cast::<start::Started>().read_unaligned();
        let told = super::spawn::own_payload();
        let files: Vec<i32> = files
            .chunks_exact(4)
            .map(|number| i32::from_ne_bytes([number[0], number[1], number[2], number[3]]))
            .filter(|&fd| Some(fd) == told || !descriptors::is_anothers(fd))
            .collect();
        let thread = (calls.save_thread)();
        let asked = start::ask(&template, body, &files, patience);
        (calls.restore_thread)(thread);
        let answer: c_int = match asked {
            // Noted before Python sees it: whatever is raised there, the worker is not forgotten.
            Asked::Started(pid) => {
                exec::start(pid);
                pid
            }
            Asked::Refused => 0,
            Asked::Gone => -1,
            Asked::NotReady => -2,
            Asked::Interrupted => -3,
        };
        (calls.build)(c"i".as_ptr(), answer)
    }
}

/// `template_prepare(program)`: whether this process can be a template of that one's.
unsafe extern "C" fn prepare(_module: Object, arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    let mut program: c_int = 0;
    // SAFETY: as in `start_one`; `i` takes an int.
    unsafe {
        if (calls.parse)(arguments, c"i".as_ptr(), &raw mut program) == 0 {
            return core::ptr::null_mut();
        }
        (calls.build)(c"i".as_ptr(), c_int::from(server::prepare(program)))
    }
}

/// `template_settle()`: why this template is of no use; empty where it is.
unsafe extern "C" fn settle(_module: Object, _arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    let why = server::settle().err().unwrap_or("");
    // SAFETY: the GIL is held; the text is alive.
    unsafe { (calls.string)(why.as_ptr().cast(), why.len() as isize) }
}

/// `template_next(pid)`: the body of the next request; the next `fork` makes its worker. `pid` is
/// what the last one answered.
unsafe extern "C" fn next(_module: Object, arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    let mut last: c_int = 0;
    // SAFETY: as in `prepare`.
    unsafe {
        if (calls.parse)(arguments, c"i".as_ptr(), &raw mut last) == 0 {
            return core::ptr::null_mut();
        }
        server::made(last);
        let body = server::next().unwrap_or(&[]);
        (calls.bytes_new)(body.as_ptr().cast(), body.len() as isize)
    }
}

/// `template_become(directory)`, in a worker: puts on all that C can.
unsafe extern "C" fn become_worker(_module: Object, arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    let mut directory: c_int = -1;
    // SAFETY: as in `prepare`.
    unsafe {
        if (calls.parse)(arguments, c"i".as_ptr(), &raw mut directory) == 0 {
            return core::ptr::null_mut();
        }
        server::become_worker(directory);
        (calls.build)(c"".as_ptr())
    }
}

/// `template_go()`, in a worker: returns when the program knows of it.
unsafe extern "C" fn go(_module: Object, _arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    server::go();
    // SAFETY: the GIL is held.
    unsafe { (calls.build)(c"".as_ptr()) }
}

/// `template_fail()`, in a worker that could not be made ready: does not return.
unsafe extern "C" fn fail(_module: Object, _arguments: Object) -> Object {
    server::fail()
}

/// `template_sleep(why)`: does not return.
unsafe extern "C" fn sleep(_module: Object, arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    let mut why = core::ptr::null::<c_char>();
    // SAFETY: as in `prepare`; `s` gives a C string that the tuple keeps alive.
    unsafe {
        if (calls.parse)(arguments, c"s".as_ptr(), &raw mut why) == 0 {
            return core::ptr::null_mut();
        }
        server::sleep(CStr::from_ptr(why))
    }
}
