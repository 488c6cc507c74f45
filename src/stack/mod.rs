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

/// Native frames kept of one stack, innermost first.
pub const NATIVE_FRAMES: usize = 48;
/// Python frames kept of one stack: the innermost ones and, of a deeper stack, the outermost.
pub const PYTHON_FRAMES: usize = 64;
/// Of [`PYTHON_FRAMES`], how many are kept for the outermost frames of a deeper stack.
pub const PYTHON_OUTER_FRAMES: usize = 16;
/// Bytes for the file and function names of one stack's Python frames.
pub const PYTHON_TEXT: usize = 8192;

/// Where one thread was at one moment.
#[derive(Clone)]
pub struct Stack {
    /// Native return addresses, innermost first; `native_len` of them are valid.
    pub native: [usize; NATIVE_FRAMES],
    /// How many of `native` are valid.
    pub native_len: usize,
    /// The Python frames.
    pub python: PythonFrames,
}

/// The Python frames of one stack, innermost first.
#[derive(Clone)]
pub struct PythonFrames {
    frames: [PythonFrame; PYTHON_FRAMES],
    len: usize,
    /// Frames left out between the innermost and the outermost kept ones.
    omitted: usize,
    /// Index of the first of the outermost frames, where some were left out.
    gap: usize,
    text: [u8; PYTHON_TEXT],
    text_len: usize,
}

/// Where in a stack's text buffer a text starts, and its length in bytes.
type TextRange = (u16, u16);

/// One Python frame: ranges of the text buffer, and the line.
#[derive(Clone, Copy)]
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
        native: [0; NATIVE_FRAMES],
        native_len: 0,
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
        frames: [PythonFrame {
            file: (0, 0),
            function: (0, 0),
            line: 0,
        }; PYTHON_FRAMES],
        len: 0,
        omitted: 0,
        gap: 0,
        text: [0; PYTHON_TEXT],
        text_len: 0,
    };

    /// How many frames are kept.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no Python frame.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many frames of a deep stack were left out, and before which kept frame.
    pub fn omitted(&self) -> (usize, usize) {
        (self.omitted, self.gap)
    }

    /// The frames, innermost first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = PythonLine<'_>> + '_ {
        self.frames[..self.len.min(PYTHON_FRAMES)]
            .iter()
            .map(|frame| PythonLine {
                file: self.text_at(frame.file),
                function: self.text_at(frame.function),
                line: frame.line,
            })
    }

    /// Forgets all frames.
    fn clear(&mut self) {
        (self.len, self.omitted, self.gap, self.text_len) = (0, 0, 0, 0);
    }

    /// Adds the next frame outwards; where there is no place left, counts it as left out.
    fn push(&mut self, file: TextRange, function: TextRange, line: u32) {
        match self.frames.get_mut(self.len) {
            Some(place) => {
                *place = PythonFrame {
                    file,
                    function,
                    line,
                };
                self.len += 1;
            }
            None => self.leave_out(1),
        }
    }

    /// Notes that `count` frames outwards of the last one added are not kept.
    fn leave_out(&mut self, count: usize) {
        if count > 0 {
            self.omitted += count;
            self.gap = self.len;
        }
    }

    /// Bytes of text that can still be added.
    fn text_room(&self) -> usize {
        PYTHON_TEXT - self.text_len
    }

    /// Adds a text of at most `most` bytes: `write` puts it into the place given and answers its
    /// length.
    fn add_text(&mut self, most: usize, write: impl FnOnce(&mut [u8]) -> usize) -> TextRange {
        let start = self.text_len;
        let place = &mut self.text[start..];
        let most = most.min(place.len());
        let len = write(&mut place[..most]).min(most);
        self.text_len += len;
        (start as u16, len as u16)
    }

    fn text_at(&self, (start, len): TextRange) -> &str {
        self.text
            .get(usize::from(start)..usize::from(start) + usize::from(len))
            .and_then(|bytes| core::str::from_utf8(bytes).ok())
            .unwrap_or("?")
    }
}

/// Takes the calling thread's whole stack. Where the C library's unwinder may take a lock
/// ([`native::is_safe`]) this is for processes that are not forked.
pub fn capture(into: &mut Stack) {
    native::capture(into);
    python::capture(&mut into.python);
}

#[cfg(test)]
impl PythonFrames {
    /// Frames for a test, innermost first: file, line, function.
    pub(crate) fn sample(frames: &[(&str, u32, &str)]) -> Self {
        let mut sample = Self::EMPTY;
        for &(file, line, function) in frames {
            let mut add = |text: &str| {
                sample.add_text(text.len(), |place| {
                    place.copy_from_slice(&text.as_bytes()[..place.len()]);
                    place.len()
                })
            };
            let (file, function) = (add(file), add(function));
            sample.push(file, function, line);
        }
        sample
    }
}
