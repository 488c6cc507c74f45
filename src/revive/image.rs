//! The writable data of the driver's libraries, as it was before they were used.
//!
//! A library's copy is made in the process that is about to use it first, into memory that its
//! forked children inherit, and is right for as long as the library stays loaded, which is seen to:
//! ffmpeg unloads the decoder with each stream and loads it again, at the same address. Libraries
//! that the driver loads on its own account (compilers) are left as they are: a driver that starts
//! anew finds them loaded.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_void};
use core::fmt;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering};

use super::{thread_local, thread_specific};
use crate::sys::elf::{self, Object, ThreadLocal};
use crate::sys::process_lock::ProcessLock;
use crate::sys::program::Mapping;
use crate::sys::{raw, thread};

/// Pieces of writable data that a library may have; one is usual.
const PIECES: usize = 4;
/// The smallest page there is.
const PAGE: usize = 4096;

/// A library of the driver that keeps state of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Library {
    /// libcuda.
    Driver,
    /// libnvcuvid, the decoder.
    Decoder,
    /// libnvidia-encode, the encoder.
    Encoder,
    /// libnvidia-opticalflow.
    OpticalFlow,
}

impl Library {
    const ALL: [Self; 4] = [
        Self::Driver,
        Self::Decoder,
        Self::Encoder,
        Self::OpticalFlow,
    ];

    /// What its file is called, up to the version.
    fn file(self) -> &'static str {
        match self {
            Self::Driver => "libcuda.so",
            Self::Decoder => "libnvcuvid.so",
            Self::Encoder => "libnvidia-encode.so",
            Self::OpticalFlow => "libnvidia-opticalflow.so",
        }
    }

    fn of(object: &Object) -> Option<Self> {
        let file = object.file_name();
        Self::ALL
            .into_iter()
            .find(|library| file.starts_with(library.file().as_bytes()))
    }

    fn place(self) -> &'static Place {
        &PLACES[self as usize]
    }
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file().trim_end_matches(".so"))
    }
}

/// Why the data of a library cannot be put back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unfit {
    /// libcuda was initialised before anything of it was saved, or there was no memory for the
    /// copy.
    NotSaved,
    /// libcuda is no longer where it was.
    Moved,
    /// It is where it was, and not what it was.
    Changed(Library),
}

/// One copy.
#[derive(Clone, Copy)]
struct Image {
    base: usize,
    dynamic: usize,
    /// The addresses that the library occupies.
    range: (usize, usize),
    pieces: [(usize, usize); PIECES],
    len: usize,
    /// Where the pieces lie, one after the other.
    copy: usize,
    size: usize,
    variables: Option<(ThreadLocal, thread_local::Module)>,
}

impl Image {
    fn is_of(&self, object: &Object) -> bool {
        self.base == object.base && self.dynamic == object.dynamic
    }

    fn pieces(&self) -> &[(usize, usize)] {
        &self.pieces[..self.len]
    }

    /// Copies the object's data. `None` where it cannot be known or there is no memory.
    fn take(object: &Object) -> Option<Self> {
        let (pieces, len) = object.writable::<PIECES>()?;
        let size = pieces[..len].iter().map(|piece| piece.1 - piece.0).sum();
        let variables = match object.thread_local() {
            Some(variables) => Some((variables, thread_local::Module::of(object)?)),
            None => None,
        };
        let copy = Mapping::new(size).ok()?.leak().as_mut_ptr();
        // SAFETY: the writable data of a loaded object, into as much new memory. Nobody works with
        // that data now: the library's first use is what this thread is about to make.
        unsafe { copy_pieces(&pieces[..len], copy) };
        // SAFETY: the mapping just made; what went wrong in the program is not to reach it.
        unsafe { libc::mprotect(copy.cast(), size, libc::PROT_READ) };
        Some(Self {
            base: object.base,
            dynamic: object.dynamic,
            range: object.range(),
            pieces,
            len,
            copy: copy as usize,
            size,
            variables,
        })
    }

    /// Whether the object's data lies as it did, and may be written.
    fn fits(&self, object: &Object) -> bool {
        let same = object.writable::<PIECES>() == Some((self.pieces, self.len));
        same && self.pieces().iter().all(|&(start, end)| {
            let first = start & !(PAGE - 1);
            (first..end)
                .step_by(PAGE)
                .all(|page| raw::is_writable(page.max(start)))
        })
    }

    fn put_back(&self) {
        let mut from = self.copy;
        for &(start, end) in self.pieces() {
            // SAFETY: the object is where it was and its data may be written ([`check`]); the copy
            // is as long, and lies elsewhere. The driver refuses every call here until this is
            // done, so that nobody reads what changes.
            unsafe {
                core::ptr::copy_nonoverlapping(from as *const u8, start as *mut u8, end - start);
            }
            from += end - start;
        }
        if let Some((variables, module)) = &self.variables {
            // SAFETY: the object is loaded, says [`check`].
            unsafe { module.start_anew(variables) };
        }
        thread_specific::forget(|function| self.contains(function));
    }

    fn contains(&self, address: usize) -> bool {
        (self.range.0..self.range.1).contains(&address)
    }
}

/// Copies the pieces, one after the other.
///
/// # Safety
/// They must be readable, and `to` have room for all of them.
pub unsafe fn copy_pieces(pieces: &[(usize, usize)], mut to: *mut u8) {
    for &(start, end) in pieces {
        // SAFETY: says the caller; what is copied to is memory of the guard's own.
        unsafe {
            core::ptr::copy_nonoverlapping(start as *const u8, to, end - start);
            to = to.add(end - start);
        }
    }
}

struct Place {
    complete: AtomicBool,
    /// Zeros, while there is none: all places are in memory that needs no room in the library's file.
    image: UnsafeCell<MaybeUninit<Image>>,
}

// SAFETY: `image` is written by the thread that has `SAVING`, while `complete` is not set; a forked
// child, which is a copy, only reads one that is complete, or writes it by the same rule.
unsafe impl Sync for Place {}

static PLACES: [Place; Library::ALL.len()] = [const {
    Place {
        complete: AtomicBool::new(false),
        image: UnsafeCell::new(MaybeUninit::zeroed()),
    }
}; Library::ALL.len()];
static SAVING: ProcessLock = ProcessLock::new();

impl Place {
    fn image(&self) -> Option<&Image> {
        // SAFETY: complete, so that it was written and nobody writes it; see `Place`.
        self.complete
            .load(Ordering::Acquire)
            .then(|| unsafe { (*self.image.get()).assume_init_ref() })
    }

    /// Under `SAVING`.
    fn save(&self, object: &Object) {
        let before = self.image().copied();
        if before.is_some_and(|image| image.is_of(object)) {
            // The first one is right: a `cuInit` that failed may have changed the data since.
            return;
        }
        let Some(image) = Image::take(object) else {
            return;
        };
        self.complete.store(false, Ordering::Release);
        // SAFETY: this thread has `SAVING`, and nobody reads what is not complete.
        unsafe { (*self.image.get()).write(image) };
        self.complete.store(true, Ordering::Release);
        if let Some(before) = before {
            // SAFETY: the copy of an object that is gone, which only this place named.
            unsafe { libc::munmap(before.copy as *mut c_void, before.size) };
        }
    }
}

/// Copies the data of the driver's libraries that are loaded and of which there is no copy.
/// `driver` is where `cuInit` is, when it is about to be called for the first time; otherwise it is
/// another library that is about to be used, and libcuda is left alone.
pub fn save(driver: Option<usize>) {
    let Some(reviving) = thread::current().begin_reviving() else {
        return;
    };
    let held = SAVING.take();
    let driver = driver.map(|address| elf::object_at(address).map(|object| object.dynamic));
    elf::each_object(|object| {
        match Library::of(object) {
            // Of several copies of libcuda, the one that is called.
            Some(Library::Driver) if driver != Some(Some(object.dynamic)) => {}
            Some(library) => {
                library.place().save(object);
                stays_loaded(object);
            }
            None => {}
        }
        true
    });
    drop(held);
    drop(reviving);
}

/// Keeps the object from being unloaded: what is loaded again at the same address is another
/// object, and the copy, with the loader's own words in it, is not its.
fn stays_loaded(object: &Object) {
    if object.name.is_null() {
        return;
    }
    let flags = libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
    // SAFETY: the name by which the loader has it; where it has it no longer, nothing happens. The
    // parent's side may ask the loader.
    unsafe { libc::dlopen(object.name, flags) };
}

/// Whether libcuda's data was saved: without it nothing can be put back.
pub fn is_saved() -> bool {
    Library::Driver.place().image().is_some()
}

/// Where libcuda's data lies, if it was saved.
pub fn driver_data() -> &'static [(usize, usize)] {
    let image = Library::Driver.place().image();
    image.map_or(&[], Image::pieces)
}

/// A function of libcuda's, where its data was saved and it is still loaded.
pub fn function(name: &CStr) -> Option<usize> {
    let image = Library::Driver.place().image()?;
    let mut found = None;
    elf::each_object(|object| {
        if image.is_of(object) {
            found = object.find(name);
        }
        found.is_none()
    });
    found.map(|(address, _)| address)
}

/// The libraries whose data can be put back, found to be as they were when it was saved.
pub struct Fit {
    here: [bool; Library::ALL.len()],
    init: usize,
}

/// Finds out whether the data of all of them that are loaded can be put back. Changes nothing. One
/// of the other libraries of which there is no copy was not used, as far as could be seen, and
/// needs none.
pub fn check() -> Result<Fit, Unfit> {
    let mut fit = Fit {
        here: [false; Library::ALL.len()],
        init: 0,
    };
    let mut unfit = None;
    elf::each_object(|object| {
        if let Some(library) = Library::of(object) {
            match library.place().image() {
                Some(image) if image.is_of(object) && image.fits(object) => {
                    fit.here[library as usize] = true;
                }
                Some(image) if image.is_of(object) => unfit = Some(Unfit::Changed(library)),
                Some(_) | None => {}
            }
        }
        true
    });
    if let Some(unfit) = unfit {
        return Err(unfit);
    }
    if !fit.here[Library::Driver as usize] {
        return Err(if is_saved() {
            Unfit::Moved
        } else {
            Unfit::NotSaved
        });
    }
    fit.init = function(c"cuInit").ok_or(Unfit::Changed(Library::Driver))?;
    Ok(fit)
}

impl Fit {
    /// Puts the data back, libcuda's last: until then its calls are refused.
    ///
    /// # Safety
    /// Nothing may be left in this process by which what the libraries knew can be reached: the
    /// devices' mappings and descriptors are gone, and no thread is inside of the libraries.
    pub unsafe fn put_back(&self) {
        for library in Library::ALL.into_iter().rev() {
            if self.here[library as usize]
                && let Some(image) = library.place().image()
            {
                image.put_back();
            }
        }
    }

    /// The address of libcuda's `cuInit`.
    pub fn init(&self) -> usize {
        self.init
    }
}

/// Forgets what the libraries keep for the calling thread.
pub fn forget_thread() {
    let images = Library::ALL.map(|library| library.place().image());
    if images.iter().any(Option::is_some) {
        thread_specific::forget(|function| {
            let mut images = images.iter().flatten();
            images.any(|image| image.contains(function))
        });
    }
}

/// Whether a library whose file's name begins so is loaded.
pub fn is_loaded(file: &CStr) -> bool {
    let mut found = false;
    elf::each_object(|object| {
        found = object.file_name().starts_with(file.to_bytes());
        !found
    });
    found
}
