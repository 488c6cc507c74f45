//! The reader of Python's frames over memory that is not what it seems: a version that was built
//! otherwise, a thread state that is half gone.

use core::ffi::c_int;

use super::layout::{self, Layout};
use super::{Interpreter, LineOf, Walk};
use crate::fuzz::Image;
use crate::stack::{PythonFrames, Rewriting};
use crate::sys::memory::Reader;

/// A word with these upper bits is the address of the word in the image that the lower ones name.
const POINTER: u64 = 0xf00d << 48;
/// Words of the largest image.
const WORDS: usize = 2048;
// The types' addresses, which are only compared.
const CODE_TYPE: usize = 0xc0de;
const FRAME_TYPE: usize = 0xf4a3;
const STR_TYPE: usize = 0x5150;

/// The first byte is the interpreter's minor version. What follows is the image, in words: the thread
/// state, or from 3.13 on first the runtime's.
pub fn interpreter(bytes: &[u8]) {
    let Some((version, image)) = bytes.split_first() else {
        return;
    };
    let minor = u32::from(version % 8) + 8;
    let mut mapped = Image::new(WORDS * size_of::<u64>());
    let base = mapped.start();
    for (word, bytes) in mapped.words().iter_mut().zip(image.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
        if *word & 0xffff << 48 == POINTER {
            *word = base as u64 + (*word & (WORDS as u64 * 8 - 1));
        }
    }
    let mut memory = Reader::default();
    let (layout, thread) = match layout::known(minor) {
        Some((layout, _)) => (Some(layout), base),
        None => (layout::published(minor, base, &mut memory), base + 1024),
    };
    if let Some(layout) = layout {
        walk(minor, layout, base, thread, &mut memory);
    }
}

fn walk(minor: u32, layout: Layout, runtime: usize, thread: usize, memory: &mut Reader) {
    let python = Interpreter {
        minor,
        layout,
        runtime,
        code_type: CODE_TYPE,
        frame_type: FRAME_TYPE,
        str_type: STR_TYPE,
        of_this_thread: nobody,
        in_use: None,
        is_finalizing: no,
        line_of: LineOf::Frame(line),
        finalize: None,
    };
    let mut frames = Box::new(PythonFrames::EMPTY);
    for without_imports in [false, true] {
        let walk = Walk::of(&python, thread, without_imports, memory);
        let mut write = |frames: &mut PythonFrames| {
            let mut into = Rewriting::new(frames);
            walk.write(&python, memory, &mut into);
            into.finish()
        };
        write(&mut frames);
        // What cannot be read to its end may be written again; what can be is not.
        write(&mut frames);
        let (omitted, gap) = frames.omitted();
        assert!(frames.len() + omitted <= walk.count && gap <= frames.len());
        // Written over others, as into a place of its own.
        let mut anew = Box::new(PythonFrames::EMPTY);
        write(&mut anew);
        assert!(anew.iter().eq(frames.iter()) && anew.omitted() == frames.omitted());
    }
}

unsafe extern "C" fn nobody() -> usize {
    0
}

unsafe extern "C" fn no() -> c_int {
    0
}

unsafe extern "C" fn line(frame: usize) -> c_int {
    (frame % 100) as c_int
}
