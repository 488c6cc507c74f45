//! Stacks in fixed memory: where a thread was, natively and in Python.
//!
//! A [`Stack`] is captured while the program runs (at initialisation, at fork) and printed
//! much later, perhaps in a forked child that may use neither its heap nor a lock. So it holds
//! no pointer that must be followed to be printed: native frames are instruction pointers
//! (named from the module table of [`crate::sys::modules`]), Python frames are text.
//!
//! This module may not allocate, lock, or call the loader.

pub mod native;
pub mod python;
pub mod spare;

use crate::sys::quiet;

/// Native frames kept of one stack, innermost first.
pub const NATIVE_FRAMES: usize = 48;
/// Python frames kept of one stack: the innermost ones and, of a deeper stack, the outermost.
pub const PYTHON_FRAMES: usize = 64;
/// Of [`PYTHON_FRAMES`], how many are kept for the outermost frames of a deeper stack.
pub const PYTHON_OUTER_FRAMES: usize = 16;
/// Bytes for the file and function names of one stack's Python frames.
pub const PYTHON_TEXT: usize = 8192;

/// Where one thread was at one moment. In the order of its fields: a small stack is in its first
/// page, and the others are never touched.
#[derive(Clone)]
#[repr(C)]
pub struct Stack {
    /// How many of `native` are valid.
    pub native_len: usize,
    /// Whether a signal's handler is on it, as far as it was taken.
    pub in_handler: bool,
    /// Native return addresses, innermost first; `native_len` of them are valid.
    pub native: [usize; NATIVE_FRAMES],
    /// The Python frames.
    pub python: PythonFrames,
}

/// The Python frames of one stack, innermost first.
#[derive(Clone)]
#[repr(C)]
pub struct PythonFrames {
    size: Size,
    frames: [PythonFrame; PYTHON_FRAMES],
    text: [u8; PYTHON_TEXT],
}

/// How much of [`PythonFrames`] is in use.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Size {
    len: usize,
    /// Frames left out between the innermost and the outermost kept ones.
    omitted: usize,
    /// Index of the first of the outermost frames, where some were left out.
    gap: usize,
    text: usize,
}

impl Size {
    const NONE: Self = Self {
        len: 0,
        omitted: 0,
        gap: 0,
        text: 0,
    };
}

/// Where in a stack's text buffer a text starts, and its length in bytes.
type TextRange = (u16, u16);

/// One Python frame: ranges of the text buffer, and the line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PythonFrame {
    file: TextRange,
    function: TextRange,
    line: u32,
}

/// A Python frame as it is read back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PythonLine<'a> {
    /// The code object's file name, as Python has it (perhaps relative, perhaps `<string>`).
    pub file: &'a str,
    /// The function's qualified name where the interpreter has one (3.11 on), else its name.
    pub function: &'a str,
    /// The line, 0 where it is unknown.
    pub line: u32,
}

impl Stack {
    /// A stack with nothing in it.
    pub const EMPTY: Self = Self {
        native_len: 0,
        in_handler: false,
        native: [0; NATIVE_FRAMES],
        python: PythonFrames::EMPTY,
    };

    /// The native frames, innermost first.
    pub fn native(&self) -> &[usize] {
        &self.native[..self.native_len.min(NATIVE_FRAMES)]
    }
}

impl PythonFrames {
    /// No frames.
    pub const EMPTY: Self = Self {
        size: Size::NONE,
        frames: [PythonFrame {
            file: (0, 0),
            function: (0, 0),
            line: 0,
        }; PYTHON_FRAMES],
        text: [0; PYTHON_TEXT],
    };

    /// How many frames are kept.
    pub fn len(&self) -> usize {
        self.size.len
    }

    /// Whether there is no Python frame.
    pub fn is_empty(&self) -> bool {
        self.size.len == 0
    }

    /// How many frames of a deep stack were left out, and before which kept frame.
    pub fn omitted(&self) -> (usize, usize) {
        (self.size.omitted, self.size.gap)
    }

    /// The frames, innermost first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = PythonLine<'_>> + '_ {
        self.frames[..self.size.len.min(PYTHON_FRAMES)]
            .iter()
            .map(|frame| PythonLine {
                file: self.text_at(frame.file),
                function: self.text_at(frame.function),
                line: frame.line,
            })
    }

    fn text_at(&self, (start, len): TextRange) -> &str {
        self.text
            .get(usize::from(start)..usize::from(start) + usize::from(len))
            .and_then(|bytes| core::str::from_utf8(bytes).ok())
            .unwrap_or("?")
    }
}

/// Frames of Python that are being written over others.
///
/// One place of a program forks again and again, and of a process that has just forked the first
/// write to a page is its copy: what stands there already is not written.
struct Rewriting<'a> {
    frames: &'a mut PythonFrames,
    size: Size,
    /// Whether anything is another than before.
    differs: bool,
}

impl<'a> Rewriting<'a> {
    fn new(frames: &'a mut PythonFrames) -> Self {
        Self {
            frames,
            size: Size::NONE,
            differs: false,
        }
    }

    /// Adds the next frame outwards; where there is no place left, counts it as left out.
    fn push(&mut self, file: TextRange, function: TextRange, line: u32) {
        let Some(place) = self.frames.frames.get_mut(self.size.len) else {
            self.leave_out(1);
            return;
        };
        let frame = PythonFrame {
            file,
            function,
            line,
        };
        self.differs |= quiet::copy(&[frame], core::slice::from_mut(place));
        self.size.len += 1;
    }

    /// Notes that `count` frames outwards of the last one added are not kept.
    fn leave_out(&mut self, count: usize) {
        if count > 0 {
            self.size.omitted += count;
            self.size.gap = self.size.len;
        }
    }

    /// Bytes of text that can still be added.
    fn text_room(&self) -> usize {
        PYTHON_TEXT - self.size.text
    }

    /// Adds a text of at most `most` bytes: `write` puts it into the place given and answers its
    /// length, and whether it was another one before.
    fn add_text(
        &mut self,
        most: usize,
        write: impl FnOnce(&mut [u8]) -> (usize, bool),
    ) -> TextRange {
        let start = self.size.text;
        let place = &mut self.frames.text[start..];
        let most = most.min(place.len());
        let (len, differs) = write(&mut place[..most]);
        let len = len.min(most);
        self.size.text += len;
        self.differs |= differs;
        (start as u16, len as u16)
    }

    /// These are the frames now. Answers whether they are others than before.
    fn finish(self) -> bool {
        let differs = self.size != self.frames.size;
        if differs {
            self.frames.size = self.size;
        }
        self.differs | differs
    }
}

/// Takes the calling thread's whole stack. Where the C library's unwinder may take a lock
/// ([`native::is_safe`]) this is for processes that are not forked. Answers whether the Python
/// frames are others than those that were there.
pub fn capture(into: &mut Stack) -> bool {
    native::capture(into);
    python::capture(&mut into.python)
}

#[cfg(test)]
impl PythonFrames {
    /// Frames for a test, innermost first: file, line, function.
    pub(crate) fn sample(frames: &[(&str, u32, &str)]) -> Self {
        let mut sample = Self::EMPTY;
        let mut writing = Rewriting::new(&mut sample);
        for &(file, line, function) in frames {
            let mut add = |text: &str| {
                writing.add_text(text.len(), |place| {
                    let differs = quiet::copy(&text.as_bytes()[..place.len()], place);
                    (place.len(), differs)
                })
            };
            let (file, function) = (add(file), add(function));
            writing.push(file, function, line);
        }
        writing.finish();
        sample
    }
}
