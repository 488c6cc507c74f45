//! Python source that is compiled into the library, and how it comes into the interpreter: compiled
//! there, in a package of its own; nothing is read from the file system or the environment.

use core::ffi::{CStr, c_int};

use super::api::Object;
use super::native::Calls;

/// A module's name, and its text.
pub(super) type Source = (&'static str, &'static [u8]);

/// The sources of a folder, in the order in which they build on one another. They lie by themselves
/// (`layout.ld`): few processes read them.
macro_rules! sources {
    ($folder:literal: $($name:literal),* $(,)?) => {
        [$(($name, {
            #[unsafe(link_section = ".rodata.python")]
            static TEXT: [u8; include_bytes!(concat!($folder, "/", $name, ".py")).len()] =
                *include_bytes!(concat!($folder, "/", $name, ".py"));
            TEXT.as_slice()
        })),*]
    };
}
pub(super) use sources;

const LOADER: &str = concat!(include_str!("adapter/load.py"), "\0");
/// `Py_file_input`.
const FILE_INPUT: c_int = 257;
/// Bytes of the longest name of a module.
const NAME: usize = 32;

/// Installs the package and answers a dict that has the names of its last module, `entries`; null
/// with an exception where that fails. `fill` puts the functions that it calls into a dict.
///
/// # Safety
/// The GIL must be held.
pub(super) unsafe fn run(
    calls: &Calls,
    package: &str,
    sources: &[Source],
    fill: unsafe fn(&Calls, Object) -> bool,
) -> Object {
    const NOTHING: Object = core::ptr::null_mut();
    let put = |dict: Object, name: &CStr, value: Object| {
        // SAFETY: the GIL is held; the dict takes a reference of its own.
        unsafe {
            let done = !value.is_null() && (calls.dict_set)(dict, name.as_ptr(), value) == 0;
            if !value.is_null() {
                (calls.decref)(value);
            }
            done
        }
    };
    let text = |source: &[u8]| {
        // SAFETY: the GIL is held; the source is UTF-8.
        unsafe { (calls.string)(source.as_ptr().cast(), source.len() as isize) }
    };
    // SAFETY: the GIL is held; every object is checked for null before it is used.
    unsafe {
        let (space, texts, functions) =
            ((calls.dict_new)(), (calls.dict_new)(), (calls.dict_new)());
        if space.is_null() || texts.is_null() || functions.is_null() {
            return NOTHING;
        }
        for (name, source) in sources {
            let mut room = [0_u8; NAME];
            room[..name.len()].copy_from_slice(name.as_bytes());
            let Ok(name) = CStr::from_bytes_until_nul(&room) else {
                return NOTHING;
            };
            if !put(texts, name, text(source)) {
                return NOTHING;
            }
        }
        if !fill(calls, functions)
            || (calls.dict_set)(space, c"__builtins__".as_ptr(), (calls.builtins)()) != 0
            || !put(space, c"SOURCES", texts)
            || !put(space, c"NATIVE", functions)
            || !put(space, c"PACKAGE", text(package.as_bytes()))
            || !put(space, c"__name__", text(package.as_bytes()))
        {
            return NOTHING;
        }
        let code = (calls.compile)(LOADER.as_ptr().cast(), c"<forkguard>".as_ptr(), FILE_INPUT);
        if code.is_null() {
            return NOTHING;
        }
        let done = (calls.eval)(code, space, space);
        (calls.decref)(code);
        if done.is_null() {
            return NOTHING;
        }
        (calls.decref)(done);
        space
    }
}
