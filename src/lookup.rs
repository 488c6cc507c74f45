//! What `dlsym` and `dlvsym` answer for the driver's names.
//!
//! The true lookup is always made, and its answer exchanged for a stub only when it lies in the
//! driver. The program must see what it would see without us: its position in the search order
//! for `RTLD_NEXT`, NULL where only this library has the name, and `dlerror` set.
//!
//! A lookup is a loader call of the program's own, so this module may call the loader; it may not
//! allocate (an allocator may call `dlsym` itself).

use core::ffi::{CStr, c_char, c_int, c_void};
use core::hint::black_box;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crate::config;
use crate::gate::special::Special;
use crate::gate::{arch, driver, slots};
use crate::python::audit;
use crate::report::Kind;
use crate::revive;
use crate::sys::elf::{self, Object};
use crate::sys::raw::ErrnoGuard;

/// From [`dlsym`] and [`dlvsym`]: not a name of ours; let the true function answer its caller.
pub const NOT_OURS: usize = 1;

/// The true `dlsym`; null before it is known.
pub static REAL_DLSYM: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());
/// The true `dlvsym`.
pub static REAL_DLVSYM: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());
static RESOLVED: AtomicUsize = AtomicUsize::new(0);

/// The end of every lookup that is not ours, until the true `dlsym` is known.
///
/// # Safety
/// As `dlsym`.
#[unsafe(naked)]
pub unsafe extern "C" fn dlsym_first() {
    arch::first_code!(crate::lookup::REAL_DLSYM)
}

/// The same for `dlvsym`.
///
/// # Safety
/// As `dlvsym`.
#[unsafe(naked)]
pub unsafe extern "C" fn dlvsym_first() {
    arch::first_code!(crate::lookup::REAL_DLVSYM)
}

type Dlsym = unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void;
type Dlvsym = unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> *mut c_void;

/// Finds the true functions. Ends the program where the C library has none: nothing could work.
///
/// # Safety
/// None is needed: `unsafe` is the type that the assembly calls.
pub unsafe extern "C" fn resolve() {
    let _errno = ErrnoGuard::new();
    if RESOLVED.load(Ordering::Acquire) == 1 {
        return;
    }
    let true_ones = || elf::find_in_libc(c"dlsym").zip(elf::find_in_libc(c"dlvsym"));
    let found = true_ones().or_else(|| {
        load_libdl();
        true_ones()
    });
    let Some(((plain, _), (versioned, _))) = found else {
        crate::report::emit::notice(format_args!(
            "this C library's dlsym cannot be found (it is not glibc?), so nothing could be \
             looked up; stopping. Remove libforkguard.so from LD_PRELOAD"
        ));
        crate::sys::raw::exit_now(127);
    };
    REAL_DLVSYM.store(versioned as *mut c_void, Ordering::Release);
    REAL_DLSYM.store(plain as *mut c_void, Ordering::Release);
    elf::prepare();
    RESOLVED.store(1, Ordering::Release);
}

/// Before glibc 2.34 `dlsym` is in a library of its own, which a program need not have.
fn load_libdl() {
    type Dlopen = unsafe extern "C" fn(*const c_char, c_int) -> *mut c_void;
    /// What glibc's own callers of its inner `dlopen` add.
    const FROM_WITHIN: c_int = c_int::MIN;

    let Some((address, _)) = elf::find_in_libc(c"__libc_dlopen_mode") else {
        return;
    };
    // SAFETY: glibc's function of this name, which its name service modules are loaded by.
    let open: Dlopen = unsafe { core::mem::transmute(address) };
    let mode = libc::RTLD_NOW | libc::RTLD_GLOBAL | FROM_WITHIN;
    // SAFETY: a library of glibc's own, found where all of the program's are. It stays loaded.
    unsafe { open(c"libdl.so.2".as_ptr(), mode) };
}

/// The true `dlsym`, called from this library (so that `RTLD_NEXT` means "after us"). `handle` is
/// one that the program or the loader gave, or a pseudo-handle.
fn real(handle: *mut c_void, name: &CStr) -> usize {
    // SAFETY: the resolver needs nothing.
    unsafe { resolve() };
    // SAFETY: `resolve` returned, so this is the C library's `dlsym`.
    let real: Dlsym = unsafe { core::mem::transmute(REAL_DLSYM.load(Ordering::Acquire)) };
    // SAFETY: a handle of the program's or a pseudo-handle, and a C string. `black_box` keeps
    // this from becoming a jump: `dlsym` reads its caller from the return address.
    black_box(unsafe { real(handle, name.as_ptr()) } as usize)
}

fn real_versioned(handle: *mut c_void, name: &CStr, version: *const c_char) -> usize {
    // SAFETY: as in `real`.
    unsafe { resolve() };
    // SAFETY: as in `real`, for `dlvsym`.
    let real: Dlvsym = unsafe { core::mem::transmute(REAL_DLVSYM.load(Ordering::Acquire)) };
    // SAFETY: as in `real`; the version is the program's own string.
    black_box(unsafe { real(handle, name.as_ptr(), version) } as usize)
}

/// The next definition of `name` after this library, `RTLD_NEXT` from here.
pub fn next(name: &CStr) -> Option<usize> {
    Some(real(libc::RTLD_NEXT, name)).filter(|&address| address != 0)
}

/// `dlsym`'s slow path, for names that may be the driver's.
///
/// # Safety
/// As `dlsym`, with a name that is not null; `caller` is its return address. What comes as a
/// version is whatever stood in the register.
pub unsafe extern "C" fn dlsym(
    handle: *mut c_void,
    name: *const c_char,
    _version: *const c_char,
    caller: usize,
) -> usize {
    // SAFETY: the assembly passes on a non-null name, which `dlsym`'s caller owes us as a string.
    let name = unsafe { CStr::from_ptr(name) };
    match name.to_bytes() {
        b"GetPjrtApi" => return pjrt(handle, name),
        // Given out as it is: only that it is about to be called matters.
        name if driver::is_other_librarys_name(name) => {
            revive::before_library();
            return NOT_OURS;
        }
        // What Python looks for in an extension module.
        [b'P', b'y', b'I', b'n', b'i', b't', b'_', ..] => audit::loading(),
        _ => {}
    }
    if !driver::is_driver_name(name.to_bytes()) {
        return NOT_OURS;
    }
    let found = if handle == libc::RTLD_NEXT {
        match after(caller, name) {
            NOT_OURS => return NOT_OURS,
            found => found,
        }
    } else {
        let found = real(handle, name);
        if is_ours(found) {
            behind_us(handle, name, caller)
        } else {
            found
        }
    };
    answer(name, found, caller)
}

/// `dlvsym`'s slow path.
///
/// # Safety
/// As `dlvsym`, with a name that is not null; `caller` is its return address.
pub unsafe extern "C" fn dlvsym(
    handle: *mut c_void,
    name: *const c_char,
    version: *const c_char,
    caller: usize,
) -> usize {
    // SAFETY: as in `dlsym`.
    let name = unsafe { CStr::from_ptr(name) };
    if !driver::is_driver_name(name.to_bytes()) || version.is_null() {
        return NOT_OURS;
    }
    let mut found = real_versioned(handle, name, version);
    if is_ours(found) {
        found = real_versioned(libc::RTLD_NEXT, name, version);
    }
    answer(name, found, caller)
}

fn answer(name: &CStr, found: usize, caller: usize) -> usize {
    if found == 0 || config::get().is_off() {
        return found;
    }
    revive::before_use(found);
    if driver::is_drivers_own(caller) {
        return found;
    }
    driver::guard(name, found, true, None)
}

fn pjrt(handle: *mut c_void, name: &CStr) -> usize {
    if handle == libc::RTLD_NEXT {
        return NOT_OURS;
    }
    let found = real(handle, name);
    if found == 0 || config::get().is_off() || !is_cuda_plugin(found) {
        return found;
    }
    match slots::admit(name, found, false, Kind::XlaCall, Some(Special::PjrtApi)) {
        Some(index) => index.stub(),
        None => driver::unguarded(name, found),
    }
}

/// XLA has plugins for other devices, too, whose threads are none of our business.
fn is_cuda_plugin(address: usize) -> bool {
    elf::object_at(address)
        .is_some_and(|object| object.file_name().windows(4).any(|part| part == b"cuda"))
}

fn is_ours(address: usize) -> bool {
    elf::is_ours(address)
}

/// What a lookup that found our export would have found without us: the next definition in the
/// global scope, else one among the caller's own dependencies.
fn behind_us(handle: *mut c_void, name: &CStr, caller: usize) -> usize {
    if let Some(address) = next(name) {
        return address;
    }
    if handle != libc::RTLD_DEFAULT {
        return 0;
    }
    let Some(object) = elf::object_at(caller).filter(|object| !object.path().is_empty()) else {
        return 0;
    };
    // SAFETY: the path of a loaded object, which `RTLD_NOLOAD` only finds again.
    let scope = unsafe { libc::dlopen(object.name, libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
    if scope.is_null() {
        return next(name).unwrap_or(0);
    }
    let found = real(scope, name);
    // SAFETY: gives back what was taken above; the object stays loaded, its code is our caller.
    unsafe { libc::dlclose(scope) };
    if is_ours(found) { 0 } else { found }
}

/// `RTLD_NEXT` for a caller that is not us: the first definition after it in the search order,
/// our export left out.
///
/// The true `dlsym` cannot be asked for it: it takes its caller from its return address, and
/// would give our export (perhaps without a driver behind it) or an unguarded pointer. But what
/// follows *us* it can be asked, and it knows the scope.
fn after(caller: usize, name: &CStr) -> usize {
    let Some(caller) = elf::object_at(caller) else {
        return NOT_OURS; // generated code: the true one refuses it
    };
    let behind = next(name).unwrap_or(0);
    let mut order = [0usize; 3]; // where the caller, we, and what is behind us stand
    let mut position = 0;
    let behind_object = elf::object_at(behind).map_or(0, |object| object.dynamic);
    elf::each_object(|object| {
        position += 1;
        if object.dynamic == caller.dynamic {
            order[0] = position;
        } else if object.is_ours() {
            order[1] = position;
        }
        if object.dynamic == behind_object {
            order[2] = position;
        }
        true
    });
    let [asks, us, found] = order;
    if asks > us && (behind == 0 || found > asks) {
        return behind;
    }
    // Between the caller and us everything was loaded at the start, and is in scope. So is what
    // follows a library that stands after us and defines the name itself.
    let until = if asks < us { us } else { usize::MAX };
    let mut defined = 0;
    position = 0;
    elf::each_object(|object| {
        position += 1;
        if position > asks && position < until {
            defined = object.find(name).map_or(0, |(address, _)| address);
        }
        defined == 0 && position < until
    });
    if defined == 0 {
        return if asks < us { behind } else { 0 };
    }
    // SAFETY: takes nothing; drops this thread's message of the lookup above, for there is an
    // answer.
    unsafe { libc::dlerror() };
    defined
}

/// The true address of a driver function that a program reached by linking: the next definition
/// after our export, else the one in a libcuda or libnvcuvid that is loaded, wherever.
pub fn driver_symbol(name: &CStr) -> Option<usize> {
    if let Some(address) = next(name) {
        return Some(address);
    }
    // What `dlerror` says is the program's business: it asked for nothing.
    // SAFETY: takes nothing; drops this thread's message of the lookup above.
    unsafe { libc::dlerror() };
    let is_driver = |object: &Object| driver::is_guarded_library(object.file_name());
    elf::find_in(is_driver, name).map(|(address, _)| address)
}
