//! Folding a Python stack to what its reader can change: the program's own line, the library
//! frame that it led to, and the `import` that it happened in.
//!
//! Reads captured frames only; allocates nothing.

use core::fmt;

use crate::stack::{PythonFrames, PythonLine};

/// Whose code a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The program's own.
    Own,
    /// An installed package.
    Package,
    /// Python's standard library.
    Standard,
    /// `bin/gunicorn` and its like: a script that only calls a package.
    Launcher,
    /// Generated code (`<frozen …>`, `<attrs generated init …>`).
    Generated,
}

/// Whose code `file` is, by its path alone.
pub fn origin(file: &str) -> Origin {
    if file.starts_with('<') {
        return if is_typed(file) {
            Origin::Own
        } else {
            Origin::Generated
        };
    }
    if installed(file).is_some() {
        return Origin::Package;
    }
    if standard(file).is_some() {
        return Origin::Standard;
    }
    let mut parts = file.rsplit('/');
    let name = parts.next().unwrap_or_default();
    if parts.next() == Some("bin") && !name.contains('.') {
        return Origin::Launcher;
    }
    Origin::Own
}

/// Whether `file` stands for what a person typed, put into a notebook's cell or passed with `-c`:
/// no other process can import that.
pub fn is_typed(file: &str) -> bool {
    const NAMES: [&str; 6] = [
        "<string>",
        "<stdin",
        "<console>",
        "<ipython-input",
        "<python-input",
        "<cell",
    ];
    // ipykernel.compiler: /tmp/ipykernel_PID/HASH.py, which is never written.
    let is_cell = || {
        let mut parts = file.rsplit('/').skip(1);
        parts
            .next()
            .is_some_and(|folder| folder.starts_with("ipykernel_"))
    };
    NAMES.iter().any(|name| file.starts_with(name)) || is_cell()
}

/// `torch/cuda/__init__.py` of `…/site-packages/torch/cuda/__init__.py`.
fn installed(file: &str) -> Option<&str> {
    ["site-packages/", "dist-packages/"]
        .into_iter()
        .find_map(|folder| {
            let at = file.rfind(folder)?;
            (at == 0 || file.as_bytes()[at - 1] == b'/').then(|| &file[at + folder.len()..])
        })
}

/// `multiprocessing/pool.py` of `…/lib/python3.12/multiprocessing/pool.py`.
fn standard(file: &str) -> Option<&str> {
    ["lib/python3.", "lib64/python3."]
        .into_iter()
        .find_map(|folder| {
            let at = file.find(folder)?;
            if at > 0 && file.as_bytes()[at - 1] != b'/' {
                return None;
            }
            let rest = &file[at + folder.len()..];
            let version = rest.find('/')?;
            rest[..version]
                .bytes()
                .all(|b| b.is_ascii_alphanumeric())
                .then(|| &rest[version + 1..])
        })
}

/// The path as a report shows it: a library's from its package on, the program's from `cwd` on.
pub fn tidy<'a>(file: &'a str, cwd: &str) -> &'a str {
    if file.starts_with('<') {
        return file;
    }
    if let Some(short) = installed(file).or_else(|| standard(file)) {
        return short;
    }
    let file = file.strip_prefix("./").unwrap_or(file);
    if cwd.len() > 1
        && let Some(rest) = file.strip_prefix(cwd)
        && let Some(rest) = rest.strip_prefix('/')
    {
        return rest;
    }
    file
}

/// A name that the program has from anywhere, as people are shown it: what would move the cursor,
/// change colours or begin a line that looks like the report's own is a question mark.
pub struct Plain<'a>(pub &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(char::is_control) {
            f.write_str(&rest[..at])?;
            f.write_str("?")?;
            let mut letters = rest[at..].chars();
            letters.next();
            rest = letters.as_str();
        }
        f.write_str(rest)
    }
}

/// A frame's place as a report shows it: `app.py:12`.
#[derive(Clone, Copy)]
pub struct Location<'a> {
    /// The frame.
    pub frame: PythonLine<'a>,
    /// The process's working directory; empty where it is unknown.
    pub cwd: &'a str,
}

impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Plain(tidy(self.frame.file, self.cwd)).fmt(f)?;
        if self.frame.line > 0 {
            write!(f, ":{}", self.frame.line)?;
        }
        Ok(())
    }
}

/// Which library frame stands beside the program's own line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// The one that the line called into.
    Called,
    /// The innermost: where it really happened.
    Innermost,
}

/// A stack in one line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Folded<'a> {
    /// The program's own innermost frame; where there is none, the innermost of a package.
    pub line: PythonLine<'a>,
    /// Whether `line` is the program's own.
    pub own: bool,
    /// The library frame that matters, where it is another one.
    pub library: Option<PythonLine<'a>>,
}

/// Folds a stack; `None` where it has no frame.
pub fn fold(frames: &PythonFrames, beside: Beside) -> Option<Folded<'_>> {
    let mut innermost = None;
    let mut called = None;
    let mut package = None;
    for frame in frames.iter() {
        if starts_forked_child(&frame) && innermost.is_some() {
            // Everything further out is the parent's, as it stood when it forked.
            break;
        }
        match origin(frame.file) {
            Origin::Own => {
                let library = if beside == Beside::Called {
                    called
                } else {
                    innermost
                };
                return Some(Folded {
                    line: frame,
                    own: true,
                    library,
                });
            }
            Origin::Generated => {}
            kind => {
                if import_machinery(&frame) {
                    continue;
                }
                innermost = innermost.or(Some(frame));
                if kind == Origin::Package {
                    package = package.or(Some(frame));
                }
                called = Some(frame);
            }
        }
    }
    let innermost = innermost.or_else(|| frames.iter().next())?;
    let line = package.unwrap_or(innermost);
    Some(Folded {
        line,
        own: false,
        library: (line != innermost).then_some(innermost),
    })
}

/// The frame in which `multiprocessing` runs a forked child's work.
fn starts_forked_child(frame: &PythonLine<'_>) -> bool {
    last_name(frame.function) == "_bootstrap" && frame.file.ends_with("/process.py")
}

/// `is_available` of `Device.is_available`: interpreters before 3.11 know only that part.
pub fn last_name(function: &str) -> &str {
    function.rsplit('.').next().unwrap_or(function)
}

/// Whether `file` is in the package or module `module`, given as a path (`torch/cuda`).
pub fn in_module(file: &str, module: &str) -> bool {
    let Some(path) = installed(file).or_else(|| standard(file)) else {
        return false;
    };
    path.strip_prefix(module)
        .is_some_and(|rest| rest.starts_with(['/', '.']))
}

/// An `import` statement inside which something happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Import<'a> {
    /// Where the statement is.
    pub at: PythonLine<'a>,
    /// The imported module's file; `None` for an extension module, which has no frame.
    pub file: Option<&'a str>,
}

impl<'a> Import<'a> {
    /// The module's name, where it can be told from its file.
    pub fn module(&self) -> Option<ModuleName<'a>> {
        self.file.map(ModuleName)
    }
}

/// A module's name, derived from its file.
#[derive(Clone, Copy)]
pub struct ModuleName<'a>(&'a str);

impl fmt::Display for ModuleName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.0;
        let library = installed(file).or_else(|| standard(file));
        let path = library.unwrap_or(file);
        let path = path.strip_suffix(".py").unwrap_or(path);
        let path = path.strip_suffix("/__init__").unwrap_or(path);
        // Where the program's own packages begin is not known: its last part is right.
        let path = if library.is_some() {
            path
        } else {
            path.rsplit('/').next().unwrap_or(path)
        };
        for (i, part) in path.split('/').enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            Plain(part).fmt(f)?;
        }
        Ok(())
    }
}

fn import_machinery(frame: &PythonLine<'_>) -> bool {
    frame.file.starts_with("<frozen importlib")
        || standard(frame.file).is_some_and(|path| path.starts_with("importlib/"))
}

/// The `import` inside which this stack's innermost frame ran: the one that the program's own
/// code made, or failing that the outermost one that a library made on the way.
pub fn import(frames: &PythonFrames) -> Option<Import<'_>> {
    let own = frames
        .iter()
        .position(|frame| origin(frame.file) == Origin::Own);
    let start = own.unwrap_or(frames.len().saturating_sub(1));
    let own_frame = frames.iter().nth(start)?;

    // Inwards from the program's line: what did it import?
    let mut importer = own_frame;
    let mut importing = false;
    for frame in frames.iter().rev().skip(frames.len() - 1 - start) {
        if import_machinery(&frame) {
            importing = true;
        } else {
            if importing && frame.function == "<module>" {
                return Some(Import {
                    at: importer,
                    file: Some(frame.file),
                });
            }
            importing = false;
            importer = frame;
        }
    }
    if importing {
        return Some(Import {
            at: importer,
            file: None,
        });
    }

    // Outwards: is the program's line itself at the top level of a module that it imported?
    own?;
    if own_frame.function != "<module>" {
        return None;
    }
    let mut outer = frames.iter().skip(start + 1);
    if !import_machinery(&outer.next()?) {
        return None;
    }
    let at = outer.find(|frame| !import_machinery(frame))?;
    (origin(at.file) == Origin::Own).then_some(Import {
        at,
        file: Some(own_frame.file),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{self, IMPORT, Lines, POOL, POPEN, PROCESS, TORCH};

    const MMCV: &str = "/usr/lib/python3/dist-packages/mmcv/__init__.py";

    fn folded(lines: Lines<'_>, beside: Beside) -> String {
        let frames = PythonFrames::sample(lines);
        let Some(seen) = fold(&frames, beside) else {
            return "nothing".into();
        };
        let shown = |frame| {
            Location {
                frame,
                cwd: "/home/me",
            }
            .to_string()
        };
        let library = seen.library.map(shown).unwrap_or_default();
        format!(
            "{} {} {library}",
            if seen.own { "own" } else { "library" },
            shown(seen.line)
        )
    }

    fn imported(lines: Lines<'_>) -> String {
        let frames = PythonFrames::sample(lines);
        import(&frames).map_or("none".into(), |import| {
            let at = Location {
                frame: import.at,
                cwd: "/home/me",
            };
            let module = import
                .module()
                .map_or("?".into(), |module| module.to_string());
            format!("{module} at {at}")
        })
    }

    #[test]
    fn a_name_is_one_line_without_colours() {
        let shown = |name| Plain(name).to_string();
        assert_eq!(shown("grün/app.py"), "grün/app.py");
        assert_eq!(shown("a\x1b[8m\nb\u{9b}1m\x7f"), "a?[8m?b?1m?");
        assert_eq!(shown(""), "");
    }

    #[test]
    fn whose_a_file_is() {
        for (file, whose) in [
            ("app.py", Origin::Own),
            ("/home/me/lib/python3.py", Origin::Own),
            ("/home/me/site-packages.py", Origin::Own),
            ("<string>", Origin::Own),
            ("<stdin>", Origin::Own),
            ("<python-input-0>", Origin::Own),
            ("<ipython-input-3-abc>", Origin::Own),
            ("<frozen runpy>", Origin::Generated),
            ("<attrs generated init x>", Origin::Generated),
            ("/x/lib/python3.13t/threading.py", Origin::Standard),
            ("/x/lib64/python3.9/threading.py", Origin::Standard),
            ("/x/lib/python3.9/site-packages/a.py", Origin::Package),
            ("/usr/lib/python3/dist-packages/a.py", Origin::Package),
            ("/usr/local/bin/gunicorn", Origin::Launcher),
            ("/home/me/bin/run.py", Origin::Own),
        ] {
            assert_eq!(origin(file), whose, "{file}");
        }
    }

    #[test]
    fn paths_are_short() {
        for (file, short) in [
            ("/home/me/app.py", "app.py"),
            ("/home/me/src/app.py", "src/app.py"),
            ("/home/megan/app.py", "/home/megan/app.py"),
            ("./app.py", "app.py"),
            (TORCH, "torch/cuda/__init__.py"),
            (POPEN, "multiprocessing/popen_fork.py"),
            ("<string>", "<string>"),
        ] {
            assert_eq!(tidy(file, "/home/me"), short);
        }
        assert_eq!(tidy("/app.py", "/"), "/app.py");
        assert_eq!(tidy("/app.py", ""), "/app.py");
    }

    #[test]
    fn the_programs_line_and_what_it_called() {
        assert_eq!(
            folded(sample::USED, Beside::Called),
            "own worker.py:9 torch/nn/modules/module.py:1050"
        );
        assert_eq!(
            folded(sample::FORKED, Beside::Innermost),
            "own app.py:31 multiprocessing/popen_fork.py:66"
        );
        assert_eq!(
            folded(&[("app.py", 3, "<module>")], Beside::Called),
            "own app.py:3 "
        );
        assert_eq!(folded(&[], Beside::Called), "nothing");
    }

    #[test]
    fn a_childs_use_is_not_the_parents_line() {
        let lines = &[
            (
                "/x/site-packages/torch/multiprocessing/reductions.py",
                181,
                "rebuild_cuda_tensor",
            ),
            ("/usr/lib/python3.12/multiprocessing/queues.py", 103, "get"),
            (POOL, 114, "worker"),
            (PROCESS, 314, "BaseProcess._bootstrap"),
            (POPEN, 71, "_launch"),
            ("/home/me/app.py", 31, "main"),
        ];
        assert_eq!(
            folded(lines, Beside::Called),
            "library torch/multiprocessing/reductions.py:181 "
        );
    }

    #[test]
    fn without_an_own_line_the_package_speaks() {
        let lines = &[
            ("/usr/lib/python3.12/os.py", 9, "x"),
            ("/x/site-packages/gunicorn/arbiter.py", 589, "spawn_worker"),
            ("/usr/local/bin/gunicorn", 8, "<module>"),
        ];
        assert_eq!(
            folded(lines, Beside::Innermost),
            "library gunicorn/arbiter.py:589 os.py:9"
        );
        assert_eq!(
            folded(&[("<frozen runpy>", 88, "f")], Beside::Called),
            "library <frozen runpy>:88 "
        );
    }

    #[test]
    fn the_import_that_did_it() {
        let lines = &[
            (TORCH, 174, "is_available"),
            (
                "/usr/lib/python3/dist-packages/mmcv/utils/env.py",
                20,
                "check",
            ),
            (
                "/usr/lib/python3/dist-packages/mmcv/utils/__init__.py",
                4,
                "<module>",
            ),
            IMPORT,
            (MMCV, 5, "<module>"),
            IMPORT,
            ("/home/me/app.py", 3, "<module>"),
        ];
        assert_eq!(imported(lines), "mmcv at app.py:3");
        // Beside the import stands what it ran, not the machinery.
        assert_eq!(
            folded(lines, Beside::Called),
            "own app.py:3 mmcv/__init__.py:5"
        );
    }

    #[test]
    fn an_import_by_a_library_on_the_way() {
        let lines = &[
            (TORCH, 174, "is_available"),
            ("/x/site-packages/triton/runtime/driver.py", 9, "<module>"),
            IMPORT,
            ("/x/site-packages/vllm/utils.py", 88, "load"),
            ("/home/me/app.py", 3, "main"),
        ];
        assert_eq!(imported(lines), "triton.runtime.driver at vllm/utils.py:88");
    }

    #[test]
    fn an_import_of_the_programs_own_module() {
        let lines = &[
            (TORCH, 174, "is_available"),
            ("/home/me/pkg/config.py", 5, "<module>"),
            IMPORT,
            ("/home/me/app.py", 1, "<module>"),
        ];
        assert_eq!(imported(lines), "config at app.py:1");
    }

    #[test]
    fn an_import_without_a_module_frame() {
        assert_eq!(
            imported(&[IMPORT, ("/home/me/app.py", 2, "<module>")]),
            "? at app.py:2"
        );
    }

    #[test]
    fn no_import() {
        assert_eq!(imported(sample::INITIALISED), "none");
        assert_eq!(imported(&[]), "none");
        // The program's module was imported by a framework: nothing to say of that.
        let lines = &[
            (TORCH, 174, "is_available"),
            ("/home/me/app.py", 5, "<module>"),
            IMPORT,
            ("/x/site-packages/gunicorn/util.py", 371, "import_app"),
        ];
        assert_eq!(imported(lines), "none");
    }

    #[test]
    fn modules_by_path() {
        assert!(in_module(TORCH, "torch"));
        assert!(in_module(TORCH, "torch/cuda"));
        assert!(in_module("/x/site-packages/torch.py", "torch"));
        assert!(!in_module("/x/site-packages/torchvision/a.py", "torch"));
        assert!(!in_module("/home/me/torch/a.py", "torch"));
        assert_eq!(last_name("Device.is_available"), "is_available");
    }
}
