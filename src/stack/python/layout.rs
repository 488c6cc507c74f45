//! Where each CPython version keeps what a Python stack is read from.
//!
//! To 3.12 the layouts are known by version; they do not change within one. From 3.13 on the
//! interpreter publishes its own (`_Py_DebugOffsets`, at the start of `_PyRuntime`), and only
//! the places in that table are known by version. A version not listed here has no layout, and
//! so no Python frames.

use super::lines::LineTable;
use crate::sys::memory::Reader;

/// Byte offsets into the interpreter's structures.
#[derive(Clone, Copy)]
pub struct Layout {
    /// In `_PyRuntime`: the state of the thread that ends the interpreter.
    pub runtime_finalizing: usize,
    /// An object's type.
    pub object_type: usize,
    /// A thread state's innermost frame, or what [`Self::cframe`] says.
    pub thread_frame: usize,
    /// Where the thread state points to a C frame (3.11, 3.12): the innermost frame in that.
    pub cframe: Option<usize>,
    /// A thread state's thread (asked to 3.11 only).
    pub thread_id: usize,
    /// A frame's caller.
    pub frame_previous: usize,
    /// A frame's code object; the two low bits may be tags.
    pub frame_code: usize,
    /// The byte that says what kind of frame it is (asked from 3.12 on).
    pub frame_owner: usize,
    /// A frame's last instruction (asked in 3.11, and where there is a [`Self::line_table`]).
    pub frame_instruction: usize,
    /// A code object's file name.
    pub code_file: usize,
    /// A code object's qualified name, or its name where it has no other (to 3.10).
    pub code_name: usize,
    /// A code object's instructions (asked in 3.11 only).
    pub code_instructions: usize,
    /// A string's length in code points.
    pub str_length: usize,
    /// A string's flags.
    pub str_state: usize,
    /// How far the flags' `kind`, `compact` and `ascii` are shifted.
    pub str_shift: u32,
    /// The text of an ASCII string.
    pub str_ascii: usize,
    /// The text of any other string.
    pub str_compact: usize,
    /// How lines are found where the interpreter's own function may not be asked.
    pub line_table: Option<LineTable>,
}

/// What a version's basic types measure: a build that was changed measures something else.
pub struct Sizes {
    /// `PyCode_Type.tp_basicsize`.
    pub code: usize,
    /// `PyFrame_Type.tp_basicsize`.
    pub frame: usize,
    /// `PyUnicode_Type.tp_basicsize`.
    pub str: usize,
}

/// Where `ob_type` is: after the reference count.
pub const OBJECT_TYPE: usize = 8;
/// Where `ob_type` is in a free-threaded build.
pub const OBJECT_TYPE_FREE_THREADED: usize = 24;
/// Where a type keeps the size of its objects.
pub const TYPE_BASICSIZE: usize = 32;

/// No offset is larger than this; a table that says so is not the table it seems to be.
const SANE: usize = 4096;

const BEFORE_3_11: Layout = Layout {
    runtime_finalizing: 16,
    object_type: OBJECT_TYPE,
    thread_frame: 24,
    cframe: None,
    thread_id: 176,
    frame_previous: 24,
    frame_code: 32,
    frame_owner: 0,
    frame_instruction: 0,
    code_file: 104,
    code_name: 112,
    code_instructions: 0,
    str_length: 16,
    str_state: 32,
    str_shift: 2,
    str_ascii: 48,
    str_compact: 72,
    line_table: None,
};

const V3_11: Layout = Layout {
    runtime_finalizing: 24,
    thread_frame: 56,
    cframe: Some(8),
    thread_id: 152,
    frame_previous: 48,
    frame_owner: 69,
    frame_instruction: 56,
    code_file: 112,
    code_name: 128,
    code_instructions: 184,
    ..BEFORE_3_11
};

const V3_12: Layout = Layout {
    cframe: Some(0),
    frame_previous: 8,
    frame_code: 0,
    frame_owner: 70,
    str_ascii: 40,
    str_compact: 56,
    ..V3_11
};

/// The layout of 3.8 to 3.12 and the sizes it goes with.
pub fn known(minor: u32) -> Option<(Layout, Sizes)> {
    let (layout, code, frame, str) = match minor {
        8 | 9 => (BEFORE_3_11, 176, 368, 80),
        10 => (BEFORE_3_11, 176, 360, 80),
        11 => (V3_11, 184, 120, 80),
        12 => (V3_12, 192, 120, 64),
        _ => return None,
    };
    Some((layout, Sizes { code, frame, str }))
}

/// The place of the runtime's `finalizing` in `_Py_DebugOffsets`, in all versions.
const RUNTIME_FINALIZING: usize = 4;

/// Other places in `_Py_DebugOffsets`, counted in 64-bit words.
struct Places {
    thread_current_frame: usize,
    /// Followed by `executable` and `instr_ptr`.
    frame_previous: usize,
    frame_owner: usize,
    /// Followed by `name`, `qualname`, `linetable`, `firstlineno`; from 3.14 on `co_tlbc` is the tenth of these.
    code_filename: usize,
    /// Followed by `length` and the size of the ASCII header, after a bytes object's length and text and the size of this.
    str_state: usize,
}

/// The layout that an interpreter of 3.13 or later publishes at `runtime`.
pub fn published(minor: u32, runtime: usize, memory: &mut Reader) -> Option<Layout> {
    let places = match minor {
        13 => Places {
            thread_current_frame: 23,
            frame_previous: 29,
            frame_owner: 33,
            code_filename: 35,
            str_state: 68,
        },
        14 => Places {
            thread_current_frame: 26,
            frame_previous: 32,
            frame_owner: 36,
            code_filename: 40,
            str_state: 78,
        },
        15 => Places {
            thread_current_frame: 26,
            frame_previous: 40,
            frame_owner: 44,
            code_filename: 48,
            str_state: 90,
        },
        _ => return None,
    };
    let mut word = |index: usize| memory.word(runtime + index * 8);
    let cookie = word(0)?;
    let version = word(1)?;
    let free_threaded = word(2)? & 1 == 1;
    let expected = (3 << 8) | minor as usize;
    if cookie.to_le_bytes() != *b"xdebugpy" || version >> 16 != expected {
        return None;
    }
    let mut offset = |index: usize| word(index).filter(|&offset| offset < SANE);
    let str_ascii = offset(places.str_state + 2)?;
    let line_table = if free_threaded && minor >= 14 {
        Some(LineTable {
            frame_copy: offset(places.frame_owner + 2)?,
            code_copies: offset(places.code_filename + 9)?,
            code_first_line: offset(places.code_filename + 4)?,
            code_table: offset(places.code_filename + 3)?,
            bytes_length: offset(places.str_state - 3)?,
            bytes_start: offset(places.str_state - 2)?,
        })
    } else {
        None
    };
    Some(Layout {
        runtime_finalizing: offset(RUNTIME_FINALIZING)?,
        object_type: if free_threaded {
            OBJECT_TYPE_FREE_THREADED
        } else {
            OBJECT_TYPE
        },
        thread_frame: offset(places.thread_current_frame)?,
        cframe: None,
        thread_id: 0,
        frame_previous: offset(places.frame_previous)?,
        frame_code: offset(places.frame_previous + 1)?,
        frame_owner: offset(places.frame_owner)?,
        frame_instruction: offset(places.frame_previous + 2)?,
        code_file: offset(places.code_filename)?,
        code_name: offset(places.code_filename + 2)?,
        code_instructions: 0,
        str_length: offset(places.str_state + 1)?,
        str_state: offset(places.str_state)?,
        // Free-threaded builds since 3.14 keep `interned` in a byte of its own.
        str_shift: if free_threaded && minor >= 14 { 8 } else { 2 },
        str_ascii,
        // What follows the ASCII header in other strings: the cached UTF-8 and its length.
        str_compact: str_ascii + 16,
        line_table,
    })
}
