//! The Python stack of the calling thread, read from the interpreter's own memory.
//!
//! Whether or not the thread holds the GIL, its frames do not move while it is in native code:
//! they are read where they are, as `faulthandler` does. No Python object is made or changed,
//! the GIL is never asked for (the program may hold a lock its holder waits for).
//!
//! [`prepare`] looks up the interpreter's functions and layout and may use the loader's lists.
//! Everything else here may not allocate, lock, or call the loader.

mod finalize;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod layout;
mod lines;
mod text;
pub mod version;
mod write_once;

use core::ffi::c_int;
use core::sync::atomic::{AtomicU64, Ordering};

use self::layout::Layout;
use self::text::Keep;
use self::write_once::WriteOnce;
use super::{PYTHON_FRAMES, PYTHON_OUTER_FRAMES, PythonFrames, Rewriting};
use crate::sys::memory::Reader;
use crate::sys::{elf, modules};
use crate::trace;

/// Frames of one stack that are looked at, at most. A deeper stack's outermost frames are not
/// found; walking this far takes a few milliseconds.
const MAX_WALK: usize = 1 << 18;
/// Innermost frames kept.
const INNER: usize = PYTHON_FRAMES - PYTHON_OUTER_FRAMES;
/// Kinds of frame from this one on are the interpreter's own (3.12 on).
const FIRST_INTERNAL_OWNER: u8 = 3;

type ThreadStateGetter = unsafe extern "C" fn() -> usize;
type Asker = unsafe extern "C" fn() -> c_int;
type LineAsker = unsafe extern "C" fn(usize) -> c_int;
type CodeLineAsker = unsafe extern "C" fn(usize, c_int) -> c_int;

/// How a frame's line is asked for.
#[derive(Clone, Copy)]
enum LineOf {
    /// `PyFrame_GetLineNumber(frame)`, to 3.10.
    Frame(LineAsker),
    /// `PyCode_Addr2Line(code, offset of the instruction)`, 3.11.
    Code(CodeLineAsker),
    /// `PyUnstable_InterpreterFrame_GetLine(frame)`, from 3.12 on.
    InterpreterFrame(LineAsker),
}

/// What is known of this process's interpreter.
#[derive(Clone, Copy)]
struct Interpreter {
    minor: u32,
    layout: Layout,
    /// `_PyRuntime`, the state of the whole interpreter.
    runtime: usize,
    code_type: usize,
    frame_type: usize,
    str_type: usize,
    /// The state that this thread used last, from thread-specific data.
    of_this_thread: ThreadStateGetter,
    /// The state of whichever thread holds the GIL, to 3.11.
    in_use: Option<ThreadStateGetter>,
    is_finalizing: Asker,
    line_of: LineOf,
    finalize: Option<(usize, usize)>,
}

static INTERPRETER: WriteOnce<Interpreter> = WriteOnce::new();

/// Finds the interpreter, if there is one by now. After [`modules::refresh`]: it looks at the loaded
/// objects only where they are others than at the last look.
pub fn prepare() {
    static LOOKED: AtomicU64 = AtomicU64::new(0);
    let loaded = modules::changes();
    if INTERPRETER.get().is_some() || LOOKED.load(Ordering::Relaxed) == loaded {
        return;
    }
    if let Some(interpreter) = Interpreter::find() {
        INTERPRETER.set(interpreter);
    } else if elf::find_in_python(c"Py_GetVersion").is_none() {
        // One that another thread is loading right now may be usable later.
        LOOKED.store(loaded, Ordering::Relaxed);
    }
}

/// Writes the calling thread's Python frames into `into`: none where there is no Python that
/// [`prepare`] found, the thread is not known to it, or it is ending and frees what would be read.
/// Answers whether they are others than those that were there.
pub fn capture(into: &mut PythonFrames) -> bool {
    let mut into = Rewriting::new(into);
    if let Some(interpreter) = INTERPRETER.get() {
        let mut memory = Reader::default();
        if let Some(thread) = interpreter.thread_state(&mut memory) {
            let mut walk = Walk::of(interpreter, thread, false, &mut memory);
            if walk.count > PYTHON_FRAMES && trace::is_on() {
                // Of a deep chain of imports, more of the program than of the machinery.
                walk = Walk::of(interpreter, thread, true, &mut memory);
            }
            walk.write(interpreter, &mut memory, &mut into);
        }
    }
    into.finish()
}

/// Whether the interpreter is ending.
pub fn is_finalizing() -> bool {
    INTERPRETER.get().is_some_and(Interpreter::is_finalizing)
}

/// Where in memory the code is that ends the interpreter: a thread with a return address in it is
/// running exit handlers and destructors.
pub fn finalize_range() -> Option<(usize, usize)> {
    INTERPRETER.get()?.finalize
}

impl Interpreter {
    fn find() -> Option<Self> {
        let mut memory = Reader::default();
        let type_type = elf::find_in_python(c"PyType_Type")?;
        // The type of all types is its own type. It is not so before the loader has relocated
        // the interpreter (another thread may be in the middle of that: nothing may be called
        // yet), nor in a build with more in an object's header.
        let object_type = [layout::OBJECT_TYPE, layout::OBJECT_TYPE_FREE_THREADED]
            .into_iter()
            .find(|offset| memory.word(type_type + offset) == Some(type_type))?;
        let minor = version::minor()?;

        let types @ [code_type, frame_type, str_type] = [
            elf::find_in_python(c"PyCode_Type")?,
            elf::find_in_python(c"PyFrame_Type")?,
            elf::find_in_python(c"PyUnicode_Type")?,
        ];
        let runtime = elf::find_in_python(c"_PyRuntime")?;
        let layout = if let Some((layout, sizes)) = layout::known(minor) {
            let expected = [sizes.code, sizes.frame, sizes.str];
            let measured = types.map(|it| memory.word(it + layout::TYPE_BASICSIZE));
            (measured == expected.map(Some)).then_some(layout)?
        } else {
            layout::published(minor, runtime, &mut memory)?
        };
        if layout.object_type != object_type {
            return None;
        }

        let of_this_thread = elf::find_in_python(c"PyGILState_GetThisThreadState")?;
        let in_use = if minor <= 11 {
            Some(elf::find_in_python(c"_PyThreadState_UncheckedGet")?)
        } else {
            None
        };
        let is_finalizing = elf::find_in_python(if minor >= 13 {
            c"Py_IsFinalizing"
        } else {
            c"_Py_IsFinalizing"
        })?;
        let line = elf::find_in_python(match minor {
            ..=10 => c"PyFrame_GetLineNumber",
            11 => c"PyCode_Addr2Line",
            12.. => c"PyUnstable_InterpreterFrame_GetLine",
        })?;
        // SAFETY: these are the interpreter's functions of these names, which in the versions
        // that have a layout take these arguments and give these results.
        let (of_this_thread, in_use, is_finalizing, line_of) = unsafe {
            (
                core::mem::transmute::<usize, ThreadStateGetter>(of_this_thread),
                in_use.map(|it| core::mem::transmute::<usize, ThreadStateGetter>(it)),
                core::mem::transmute::<usize, Asker>(is_finalizing),
                match minor {
                    ..=10 => LineOf::Frame(core::mem::transmute::<usize, LineAsker>(line)),
                    11 => LineOf::Code(core::mem::transmute::<usize, CodeLineAsker>(line)),
                    12.. => {
                        LineOf::InterpreterFrame(core::mem::transmute::<usize, LineAsker>(line))
                    }
                },
            )
        };
        Some(Self {
            minor,
            layout,
            runtime,
            code_type,
            frame_type,
            str_type,
            of_this_thread,
            in_use,
            is_finalizing,
            line_of,
            finalize: finalize::range(&mut memory),
        })
    }

    fn is_finalizing(&self) -> bool {
        // SAFETY: reads one atomic of the interpreter, from any thread at any time.
        unsafe { (self.is_finalizing)() != 0 }
    }

    /// This thread's state, where it may be read.
    fn thread_state(&self, memory: &mut Reader) -> Option<usize> {
        // SAFETY: reads thread-specific data; answers null before the interpreter is initialised,
        // after it has ended, and in a thread it does not know. From 3.12 on it is the state that
        // this thread has in use, or had last.
        let last = unsafe { (self.of_this_thread)() };
        if last == 0 {
            return None;
        }
        if self.is_finalizing() {
            // Ending, the interpreter frees the states of all threads but the one that ends it.
            let ending = memory.word(self.runtime + self.layout.runtime_finalizing);
            return (ending == Some(last)).then_some(last);
        }
        // To 3.11 a thread in a subinterpreter has another state than its first. As long as it
        // holds the GIL, that is the one in use; without the GIL it is not found, and the frames
        // are those around the subinterpreter.
        if let Some(in_use) = self.in_use {
            // SAFETY: reads one variable of the interpreter.
            let in_use = unsafe { in_use() };
            // SAFETY: always succeeds.
            let this = unsafe { libc::pthread_self() } as usize;
            if in_use != 0 && memory.word(in_use + self.layout.thread_id) == Some(this) {
                return Some(in_use);
            }
        }
        Some(last)
    }

    /// A thread's innermost frame; 0 for none.
    fn innermost(&self, thread: usize, memory: &mut Reader) -> Option<usize> {
        let first = memory.word(thread + self.layout.thread_frame)?;
        match self.layout.cframe {
            Some(offset) => memory.word(first.checked_add(offset)?),
            None => Some(first),
        }
    }

    /// The code object of a frame that runs Python code.
    fn code(&self, frame: usize, memory: &mut Reader) -> Option<usize> {
        const TAGS: usize = 3;
        let code = memory.word(frame.checked_add(self.layout.frame_code)?)? & !TAGS;
        let its_type = memory.word(code.checked_add(self.layout.object_type)?)?;
        (its_type == self.code_type).then_some(code)
    }

    /// Whether a frame runs the interpreter's own code that imports modules.
    fn is_import_machinery(&self, frame: usize, memory: &mut Reader) -> bool {
        const ITS_FILES: &[u8] = b"<frozen importlib";
        let mut name = [0; ITS_FILES.len() + text::CUT.len()];
        let file = self
            .code(frame, memory)
            .and_then(|code| memory.word(code + self.layout.code_file));
        file.is_some_and(|file| {
            let types = self.str_type;
            text::write(file, types, &self.layout, memory, Keep::Start, &mut name);
            name.starts_with(ITS_FILES)
        })
    }

    /// The line a frame is at; 0 where its code has none.
    fn line(&self, frame: usize, code: usize, memory: &mut Reader) -> u32 {
        if let Some(table) = &self.layout.line_table {
            return table
                .line(frame, code, &self.layout, memory)
                .unwrap_or_default();
        }
        // SAFETY: `frame` is in the calling thread's own stack and runs the code object `code`
        // (its type was compared), so both stay alive while this thread is here. The functions
        // only look the line up in the code's table: they neither allocate nor need the GIL (the one
        // that takes a lock of the code object is not asked, above).
        let line = unsafe {
            match self.line_of {
                LineOf::Frame(ask) | LineOf::InterpreterFrame(ask) => ask(frame),
                LineOf::Code(ask) => {
                    let start = code + self.layout.code_instructions;
                    match memory.word(frame + self.layout.frame_instruction) {
                        Some(at) => ask(code, at.wrapping_sub(start) as c_int),
                        None => 0,
                    }
                }
            }
        };
        u32::try_from(line).unwrap_or(0)
    }
}

/// The addresses of the frames to be kept of one stack.
struct Walk {
    inner: [usize; INNER],
    /// The last frames seen, as a ring.
    outer: [usize; PYTHON_OUTER_FRAMES],
    count: usize,
    /// Whether the stack's outer end was reached.
    complete: bool,
}

impl Walk {
    /// Walks the thread's stack, without the frames of the import machinery where they are not
    /// wanted.
    fn of(python: &Interpreter, thread: usize, without_imports: bool, memory: &mut Reader) -> Self {
        let mut walk = Self {
            inner: [0; INNER],
            outer: [0; PYTHON_OUTER_FRAMES],
            count: 0,
            complete: false,
        };
        let layout = &python.layout;
        let mut next = python.innermost(thread, memory);
        for _ in 0..MAX_WALK {
            let Some(frame) = next else { break };
            if frame == 0 {
                walk.complete = true;
                break;
            }
            // No process has memory there, and to what is a frame's address offsets are added.
            if frame > isize::MAX as usize {
                break;
            }
            let mut is_wanted = true;
            if python.minor <= 10 {
                // Here frames are objects, and say so.
                if memory.word(frame + layout.object_type) != Some(python.frame_type) {
                    break;
                }
            } else if python.minor >= 12 {
                match memory.byte(frame + layout.frame_owner) {
                    Some(owner) if owner < FIRST_INTERNAL_OWNER => {}
                    Some(_) => is_wanted = false,
                    None => break,
                }
            }
            if is_wanted && !(without_imports && python.is_import_machinery(frame, memory)) {
                walk.keep(frame);
            }
            next = memory.word(frame + layout.frame_previous);
        }
        walk
    }

    fn keep(&mut self, frame: usize) {
        if let Some(place) = self.inner.get_mut(self.count) {
            *place = frame;
        } else {
            self.outer[(self.count - INNER) % PYTHON_OUTER_FRAMES] = frame;
        }
        self.count += 1;
    }

    fn write(&self, python: &Interpreter, memory: &mut Reader, into: &mut Rewriting<'_>) {
        let mut known = Known::new();
        let inner = self.count.min(INNER);
        // Without the stack's end the ring holds frames from somewhere in the middle.
        let outer = if self.complete {
            (self.count - inner).min(PYTHON_OUTER_FRAMES)
        } else {
            0
        };
        let omitted = self.count - inner - outer;
        let mut left = inner + outer;
        for &frame in &self.inner[..inner] {
            left -= 1;
            known.write(python, frame, left, memory, into);
        }
        into.leave_out(omitted);
        for index in inner + omitted..self.count {
            left -= 1;
            let frame = self.outer[(index - INNER) % PYTHON_OUTER_FRAMES];
            known.write(python, frame, left, memory, into);
        }
    }
}

/// Texts written already: most frames of a stack share a few files.
struct Known {
    strings: [(usize, super::TextRange); KNOWN],
    len: usize,
}

const KNOWN: usize = 64;
/// Bytes of text kept free for each frame still to come.
const RESERVED: usize = 64;
/// Of a frame's room, what its file name leaves for the function's.
const FOR_FUNCTION: usize = 24;
const LONGEST_FILE: usize = 1024;
const LONGEST_FUNCTION: usize = 256;

impl Known {
    fn new() -> Self {
        Self {
            strings: [(0, super::TextRange::default()); KNOWN],
            len: 0,
        }
    }

    fn write(
        &mut self,
        python: &Interpreter,
        frame: usize,
        frames_left: usize,
        memory: &mut Reader,
        into: &mut Rewriting<'_>,
    ) {
        let Some(code) = python.code(frame, memory) else {
            return;
        };
        let layout = &python.layout;
        let line = python.line(frame, code, memory);
        let (Some(file), Some(name)) = (
            memory.word(code + layout.code_file),
            memory.word(code + layout.code_name),
        ) else {
            return;
        };
        // The interpreter's own code around a call of a class: it stands in no file, and its
        // "file name" is its name.
        if line == 0 && file == name && python.minor >= 12 {
            return;
        }
        let room = into.text_room().saturating_sub(frames_left * RESERVED);
        let most = room.saturating_sub(FOR_FUNCTION).min(LONGEST_FILE);
        let file = self.text(python, file, Keep::End, most, memory, into);
        let room = into.text_room().saturating_sub(frames_left * RESERVED);
        let function = self.text(
            python,
            name,
            Keep::Start,
            room.min(LONGEST_FUNCTION),
            memory,
            into,
        );
        into.push(file, function, line);
    }

    fn text(
        &mut self,
        python: &Interpreter,
        object: usize,
        keep: Keep,
        most: usize,
        memory: &mut Reader,
        into: &mut Rewriting<'_>,
    ) -> super::TextRange {
        if let Some((_, range)) = self.strings[..self.len]
            .iter()
            .find(|(it, _)| *it == object)
        {
            return *range;
        }
        let range = into.add_text(most, |place| {
            text::write(object, python.str_type, &python.layout, memory, keep, place)
        });
        if let Some(free) = self.strings.get_mut(self.len) {
            *free = (object, range);
            self.len += 1;
        }
        range
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_interpreter_no_frames() {
        let mut frames = PythonFrames::EMPTY;
        prepare();
        capture(&mut frames);
        assert!(frames.is_empty());
        assert!(!is_finalizing());
        assert_eq!(finalize_range(), None);
    }
}
