//! A moment's frames, Python's and native ones in one line, outermost first.
//!
//! Between two frames of Python the interpreter's own are many and say nothing. What called the
//! interpreter stands before the Python frames, and what the innermost of them called stands
//! behind; native code that Python called and that called Python again is told apart, because it
//! is not recorded between which frames it was.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use super::source::Sources;
use super::symbols::{Function, Recorded, Symbols};
use crate::event::{Event, Moment, NativeFrame, plain};
use crate::time::Stamp;

/// One frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Its source file; empty where it is unknown.
    pub file: String,
    /// The line in it; 0 where it is unknown.
    pub line: u32,
    /// The function; empty where it is unknown.
    pub function: String,
    /// Of a native frame, the file name of its module.
    pub module: Option<String>,
    /// … and the return address in it.
    pub offset: u64,
    /// Whose it is.
    pub whose: Whose,
    /// Whether the compiler put it into the frame before.
    pub inlined: bool,
}

/// Whose code a frame is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Whose {
    /// The program's own.
    Own,
    /// A library's.
    #[default]
    Library,
    /// Of those that every program has and that say nothing of this one.
    Machinery,
}

/// Frames of one moment.
#[derive(Clone, Debug, Default)]
pub struct Stack {
    /// Outermost first.
    pub frames: Vec<Frame>,
    /// Native frames between those of Python, outermost first.
    pub between: Vec<Frame>,
    /// How many were not recorded.
    pub omitted: u64,
}

/// Frames of one kind that are shown of a moment, the innermost ones; the guard records fewer.
const FRAMES: usize = 256;

/// What it takes to read the frames of an event.
pub struct Reading<'a> {
    /// Names of native frames.
    pub symbols: &'a mut Symbols,
    /// Whose source lies here is the program's own.
    pub sources: &'a mut Sources,
    /// Also what is usually folded away is looked up.
    pub full: bool,
}

impl Reading<'_> {
    /// The frames of a moment of `event`.
    pub fn stack(&mut self, event: &Event, moment: &Moment) -> Stack {
        let innermost = |len: usize| len.saturating_sub(FRAMES);
        let python = &moment.python[innermost(moment.python.len())..];
        let interpreter = |frame: &NativeFrame| is_interpreter(frame, !moment.python.is_empty());
        let native = &moment.native[innermost(moment.native.len())..];
        let first = native.iter().position(interpreter);
        let last = native.iter().rposition(interpreter);
        let (outer, between, inner) = match (first, last) {
            (Some(first), Some(last)) if !moment.python.is_empty() => {
                (&native[..first], &native[first..=last], &native[last + 1..])
            }
            // There is no Python; or, of a deep stack, only the innermost frames are recorded: what
            // Python called.
            _ => (&native[..0], &native[..0], native),
        };
        let mut stack = Stack {
            omitted: moment
                .python_omitted
                .saturating_add(moment.native_omitted)
                .saturating_add((moment.python.len() - python.len()) as u64)
                .saturating_add((moment.native.len() - native.len()) as u64),
            ..Stack::default()
        };
        for frame in outer {
            self.native(event, frame, &mut stack.frames);
        }
        stack.frames.extend(python.iter().map(|frame| Frame {
            file: plain(&frame.file),
            line: frame.line,
            function: plain(&frame.function),
            whose: if frame.own {
                Whose::Own
            } else if frame.file.starts_with('<') || is_import_machinery(&frame.file) {
                Whose::Machinery
            } else {
                Whose::Library
            },
            ..Frame::default()
        }));
        for frame in inner {
            self.native(event, frame, &mut stack.frames);
        }
        if self.full {
            for frame in between {
                self.native(event, frame, &mut stack.between);
            }
        }
        stack
    }

    fn native(&mut self, event: &Event, frame: &NativeFrame, into: &mut Vec<Frame>) {
        let path = frame.module.as_deref();
        let recorded = Recorded {
            build_id: path.and_then(|path| {
                event
                    .modules
                    .iter()
                    .find(|module| module.module == path)
                    .and_then(|module| module.build_id.as_deref())
            }),
            time: Stamp::parse(&event.time),
        };
        let module = path.map(|path| plain(basename(path)));
        // What is folded away anyway is not looked for.
        let machinery = is_machinery(module.as_deref(), "");
        let mut functions = if machinery && !self.full {
            Vec::new()
        } else {
            self.symbols.functions(frame, recorded)
        };
        if functions.is_empty() {
            functions.push(Function {
                name: frame.symbol.as_deref().map(name),
                ..Function::default()
            });
        }
        for function in functions {
            let symbol = function.name.unwrap_or_default();
            let file = function.file.map(|file| plain(&file)).unwrap_or_default();
            let whose = if is_machinery(module.as_deref(), &symbol) {
                Whose::Machinery
            } else if path == Some(event.exe.as_str()) && !is_python(basename(&event.exe)) {
                Whose::Own
            } else if !file.is_empty() && !is_system(&file) && self.sources.has(&file) {
                // Whose source lies here, somebody here has written it.
                Whose::Own
            } else {
                Whose::Library
            };
            into.push(Frame {
                file,
                line: function.line,
                function: symbol,
                module: module.clone(),
                offset: frame.offset,
                whose,
                inlined: function.inlined,
            });
        }
    }
}

/// A symbol as its language writes it.
fn name(symbol: &str) -> String {
    plain(&addr2line::demangle_auto(symbol.into(), None))
}

/// The last part of a path.
pub fn basename(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether an executable's name is Python's.
fn is_python(name: &str) -> bool {
    name.strip_prefix("python")
        .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

fn is_interpreter(frame: &NativeFrame, with_python: bool) -> bool {
    with_python
        && frame.module.as_deref().is_some_and(|module| {
            let name = basename(module);
            is_python(name) || name.starts_with("libpython")
        })
}

fn is_import_machinery(file: &str) -> bool {
    file.contains("/importlib/") || basename(file) == "runpy.py"
}

fn is_machinery(module: Option<&str>, symbol: &str) -> bool {
    const MODULES: [&str; 4] = ["libforkguard", "libc.so", "linux-vdso", "ld-linux"];
    symbol == "_start"
        || module.is_some_and(|module| MODULES.iter().any(|noise| module.starts_with(noise)))
}

/// Whether a source file came with the system.
fn is_system(file: &str) -> bool {
    ["/usr/", "/lib/", "/build/", "/rustc/", "../"]
        .iter()
        .any(|system| file.starts_with(system))
}

/// How many of the outermost frames of `later` are those of `earlier`, when it went on from there:
/// what a forked process has of its parent's stack.
pub fn inherited(earlier: &Stack, later: &Stack) -> usize {
    let common = earlier
        .frames
        .iter()
        .zip(&later.frames)
        .take_while(|(before, after)| before == after)
        .count();
    // At least one frame has to be the process's own.
    common.min(later.frames.len().saturating_sub(1))
}

/// A frame, or a number of them in one line.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<'a> {
    Frame(&'a Frame),
    /// Frames of libraries, and the libraries' names.
    Folded(&'a [Frame], String),
}

/// What of a stack is shown: the program's own frames, and of libraries' the one that it called
/// and the one where it happened; all of them where `full`.
pub fn fold(frames: &[Frame], full: bool) -> Vec<Item<'_>> {
    if full {
        return frames.iter().map(Item::Frame).collect();
    }
    let mut items = Vec::new();
    let mut rest = frames;
    while !rest.is_empty() {
        let own = rest
            .iter()
            .take_while(|frame| frame.whose == Whose::Own)
            .count();
        items.extend(rest[..own].iter().map(Item::Frame));
        rest = &rest[own..];
        let foreign = rest
            .iter()
            .take_while(|frame| frame.whose != Whose::Own)
            .count();
        fold_foreign(&rest[..foreign], items.is_empty(), &mut items);
        rest = &rest[foreign..];
    }
    if items.is_empty() {
        items.extend(frames.last().map(Item::Frame));
    }
    items
}

/// Frames that are not the program's: the first that it called, those between, and the last.
fn fold_foreign<'a>(frames: &'a [Frame], outermost: bool, items: &mut Vec<Item<'a>>) {
    // A bare address tells nobody anything.
    let telling = |frame: &Frame| frame.whose == Whose::Library && !frame.function.is_empty();
    let Some(first) = frames.iter().position(telling) else {
        return;
    };
    let last = frames.iter().rposition(telling).unwrap_or(first);
    // What leads to the program's first line (a launcher, a server's own loop) was not called by
    // it: its last frame is enough.
    let from = if outermost && last > first {
        last
    } else {
        first
    };
    let between = &frames[if from == last { first } else { first + 1 }..last];
    if from != last {
        items.push(Item::Frame(&frames[first]));
    }
    let told: Vec<&Frame> = between.iter().filter(|frame| telling(frame)).collect();
    match told.as_slice() {
        [] => {}
        [one] => items.push(Item::Frame(one)),
        _ => items.push(Item::Folded(between, homes(&told))),
    }
    items.push(Item::Frame(&frames[last]));
}

/// The libraries of frames, each once, as they come.
fn homes(frames: &[&Frame]) -> String {
    const NAMED: usize = 3;
    let mut names: Vec<&str> = Vec::new();
    for frame in frames {
        let home = frame.home();
        if !home.is_empty() && !names.contains(&home) {
            names.push(home);
        }
    }
    let more = names.len() > NAMED;
    names.truncate(NAMED);
    names.join(", ") + if more { ", …" } else { "" }
}

impl Frame {
    /// The package or the library that it belongs to.
    fn home(&self) -> &str {
        if let Some(module) = &self.module {
            return module;
        }
        let path = self.short();
        path.split('/')
            .next()
            .map_or(path, |part| part.strip_suffix(".py").unwrap_or(part))
    }

    /// The file as it is shown: a library's from its package on, the program's from `here` on.
    pub fn shown(&self, here: &Path) -> Cow<'_, str> {
        let short = self.short();
        if short.len() < self.file.len() || !short.starts_with('/') {
            return short.into();
        }
        let path = straight(Path::new(short));
        let path = match path.strip_prefix(here) {
            Ok(below) if here.parent().is_some() => below,
            _ => &path,
        };
        path.to_string_lossy().into_owned().into()
    }

    /// Whether the source file is worth telling: of a native library's frame, where it was once
    /// compiled is of no use to most.
    pub fn names_file(&self) -> bool {
        !self.file.is_empty() && (self.module.is_none() || self.whose == Whose::Own)
    }

    /// Where it is: its file and line, or its module and address.
    pub fn place(&self, here: &Path) -> String {
        if self.names_file() {
            self.file_and_line(here)
        } else {
            match &self.module {
                Some(module) => format!("{module}+{:#x}", self.offset),
                None => format!("{:#x}", self.offset),
            }
        }
    }

    /// The file, and the line where it is known.
    pub fn file_and_line(&self, here: &Path) -> String {
        let file = self.shown(here);
        match self.line {
            0 => file.into_owned(),
            line => format!("{file}:{line}"),
        }
    }

    /// The file; a library's from its package on.
    fn short(&self) -> &str {
        let file = &self.file;
        for folder in ["site-packages/", "dist-packages/"] {
            if let Some(at) = file.rfind(folder) {
                return &file[at + folder.len()..];
            }
        }
        if let Some(at) = file.find("/python3.")
            && let Some(next) = file[at + 1..].find('/')
        {
            return &file[at + next + 2..];
        }
        file
    }
}

/// A path without the `..` in it, for the eye: where a folder is a link it may be another.
fn straight(path: &Path) -> PathBuf {
    let mut straight = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(straight.pop()),
            Component::CurDir => {}
            part => straight.push(part),
        }
    }
    straight
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(file: &str, whose: Whose) -> Frame {
        Frame {
            file: file.into(),
            whose,
            line: 1,
            function: "f".into(),
            ..Frame::default()
        }
    }

    fn shown(frames: &[Frame], full: bool) -> Vec<String> {
        fold(frames, full)
            .into_iter()
            .map(|item| match item {
                Item::Frame(frame) => frame.short().to_owned(),
                Item::Folded(frames, homes) => format!("{} of {homes}", frames.len()),
            })
            .collect()
    }

    #[test]
    fn libraries_are_folded_to_what_was_called_and_where_it_happened() {
        let stack = [
            frame("/usr/bin/launcher", Whose::Library),
            frame("/x/site-packages/server/main.py", Whose::Library),
            frame("app.py", Whose::Own),
            frame("/x/site-packages/torch/a.py", Whose::Library),
            frame("<frozen importlib>", Whose::Machinery),
            frame("/x/site-packages/torch/b.py", Whose::Library),
            frame("/usr/lib/python3.12/os.py", Whose::Library),
            frame("/x/site-packages/torch/c.py", Whose::Library),
        ];
        assert_eq!(
            shown(&stack, false),
            [
                "/usr/bin/launcher",
                "server/main.py",
                "app.py",
                "torch/a.py",
                "3 of torch, os",
                "torch/c.py"
            ]
        );
        assert_eq!(shown(&stack, true).len(), stack.len());
        assert_eq!(shown(&stack[..0], false), Vec::<String>::new());
        // Where there is nothing else, machinery is better than nothing.
        assert_eq!(shown(&stack[4..5], false), ["<frozen importlib>"]);
    }

    #[test]
    fn paths_are_short() {
        for (file, short) in [
            ("/home/me/app.py", "app.py"),
            ("/home/me/build/../src/./a.c", "src/a.c"),
            ("/home/megan/app.py", "/home/megan/app.py"),
            ("/x/site-packages/torch/cuda.py", "torch/cuda.py"),
            ("app.py", "app.py"),
            ("<string>", "<string>"),
            ("", ""),
        ] {
            assert_eq!(frame(file, Whose::Own).shown(Path::new("/home/me")), short);
        }
        let root = frame("/app.py", Whose::Own);
        assert_eq!(root.shown(Path::new("/")), "/app.py");
        assert_eq!(root.shown(Path::new("")), "/app.py");
    }

    #[test]
    fn a_forked_process_goes_on_from_its_parents_stack() {
        let stack = |names: &[&str]| Stack {
            frames: names.iter().map(|name| frame(name, Whose::Own)).collect(),
            ..Stack::default()
        };
        let fork = stack(&["main", "start", "fork"]);
        assert_eq!(inherited(&fork, &stack(&["main", "start", "work"])), 2);
        assert_eq!(inherited(&fork, &stack(&["main", "start", "fork"])), 2);
        assert_eq!(inherited(&fork, &stack(&["work"])), 0);
        assert_eq!(inherited(&fork, &stack(&[])), 0);
    }
}
