//! Where the code is that ends the interpreter.
//!
//! To 3.12 that is `Py_FinalizeEx`. Since 3.13 this only jumps to a function without a name, and
//! the interpreter's own `main` calls that directly; its extent is in the unwinder's tables.

use core::ffi::c_void;

use crate::sys::elf;
use crate::sys::memory::Reader;

/// The address range of that code: its start, and the first address after it.
pub fn range(memory: &mut Reader) -> Option<(usize, usize)> {
    let (start, size) = elf::find_in_python_sized(c"Py_FinalizeEx")?;
    let end = start.checked_add(size)?;
    Some(
        last_jump(end, memory)
            .and_then(|target| function(target, memory))
            .unwrap_or((start, end)),
    )
}

/// Where the code that ends before `end` jumps to in its last instruction.
#[cfg(target_arch = "x86_64")]
fn last_jump(end: usize, memory: &mut Reader) -> Option<usize> {
    const JUMP: u8 = 0xe9;
    let mut code = [0; 5];
    if !memory.read(end.checked_sub(code.len())?, &mut code) {
        return None;
    }
    let [JUMP, distance @ ..] = code else {
        return None;
    };
    Some(end.wrapping_add_signed(i32::from_le_bytes(distance) as isize))
}

/// Where the code that ends before `end` jumps to in its last instruction.
#[cfg(target_arch = "aarch64")]
fn last_jump(end: usize, memory: &mut Reader) -> Option<usize> {
    const JUMP: u32 = 0b00_0101;
    let mut code = [0; 4];
    let at = end.checked_sub(code.len())?;
    if !memory.read(at, &mut code) {
        return None;
    }
    let code = u32::from_le_bytes(code);
    // The other 26 bits are a signed count of instructions.
    let distance = ((code << 6) as i32 >> 6) as isize * 4;
    (code >> 26 == JUMP).then(|| at.wrapping_add_signed(distance))
}

/// What `_Unwind_Find_FDE` says beside its answer.
#[repr(C)]
struct Bases {
    text: usize,
    data: usize,
    function: usize,
}

unsafe extern "C" {
    fn _Unwind_Find_FDE(pc: *const c_void, bases: *mut Bases) -> *const c_void;
}

/// The range of the function that starts at `start`, as the unwinder knows it.
fn function(start: usize, memory: &mut Reader) -> Option<(usize, usize)> {
    // In an entry: its length and its header's distance, then the function's start and size.
    const START: usize = 8;
    const SIZE: usize = 12;
    let mut bases = Bases {
        text: 0,
        data: 0,
        function: 0,
    };
    // SAFETY: takes any address and only compares it with the tables of the loaded objects;
    // `bases` is a valid place for the rest of the answer.
    let entry = unsafe { _Unwind_Find_FDE(start as *const c_void, &raw mut bases) }.addr();
    if entry == 0 || bases.function != start {
        return None;
    }
    let mut field = |at: usize| {
        let mut bytes = [0; 4];
        memory
            .read(at, &mut bytes)
            .then(|| u32::from_le_bytes(bytes))
    };
    // Nearly always both are 32 bits wide, the start relative to where it stands: so it is here
    // if, read so, it is the start.
    let distance = field(entry + START)? as i32 as isize;
    if (entry + START).wrapping_add_signed(distance) != start {
        return None;
    }
    Some((start, start + field(entry + SIZE)? as usize))
}
