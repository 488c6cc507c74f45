//! `same`, as the adapter calls it: whether a buffer of the program's is still what was written.

use core::ffi::c_int;

use super::api::Object;
use super::native::calls;
use super::spawn::Bytes;

/// `same(fd, offset, data)`: 1 if the file has these very bytes there. The offset is a whole number
/// of pages, and the file one that cannot shrink.
///
/// # Safety
/// For the interpreter to call, with the GIL and a tuple.
pub unsafe extern "C" fn same(_module: Object, arguments: Object) -> Object {
    let Some(calls) = calls() else {
        return core::ptr::null_mut();
    };
    let (mut fd, mut offset, mut data): (c_int, _, _) = (-1, 0_i64, Bytes::NONE);
    // SAFETY: called by the interpreter, with the GIL and a tuple; `y*` fills in a `Py_buffer`, which
    // is given back below.
    unsafe {
        if (calls.parse)(
            arguments,
            c"iLy*".as_ptr(),
            &raw mut fd,
            &raw mut offset,
            &raw mut data,
        ) == 0
        {
            return core::ptr::null_mut();
        }
        let answer = data.get().is_some_and(|data| is_there(fd, offset, data));
        (calls.release)((&raw mut data).cast());
        (calls.build)(c"i".as_ptr(), c_int::from(answer))
    }
}

fn is_there(fd: c_int, offset: i64, data: &[u8]) -> bool {
    if data.is_empty() {
        return true;
    }
    // SAFETY: a new mapping, at an address that the kernel chooses.
    let at = unsafe {
        libc::mmap(
            core::ptr::null_mut(),
            data.len(),
            libc::PROT_READ,
            libc::MAP_SHARED,
            fd,
            offset,
        )
    };
    if at == libc::MAP_FAILED {
        return false;
    }
    // SAFETY: both are that long; the file is sealed, so that all its pages stay there. What other
    // threads write to `data` meanwhile only changes the answer, as it would change a fork's copy.
    unsafe {
        let same = libc::memcmp(at, data.as_ptr().cast(), data.len()) == 0;
        libc::munmap(at, data.len());
        same
    }
}
