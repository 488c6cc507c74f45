//! Which lines of a Python stack matter: those that imported one another, the one to look at, and
//! what it called.

use std::path::Path;

use crate::event::{PythonFrame, plain};

/// What a module's own code is called.
const MODULE: &str = "<module>";

/// Whether a frame is of the machinery that runs and imports modules, which nobody wants to see.
fn is_machinery(frame: &PythonFrame) -> bool {
    let file = &frame.file;
    if file.starts_with("<frozen ") {
        return true;
    }
    !frame.own && (file.ends_with("/runpy.py") || file.ends_with("/importlib/__init__.py"))
}

/// The frames worth looking at, innermost last.
fn frames(python: &[PythonFrame]) -> impl DoubleEndedIterator<Item = &PythonFrame> {
    python.iter().filter(|frame| !is_machinery(frame))
}

/// The lines that imported one another, outermost first; the last is the line of the module whose
/// import it happened in. None where it happened in no import.
pub fn imports(python: &[PythonFrame]) -> Vec<&PythonFrame> {
    let all: Vec<&PythonFrame> = frames(python).collect();
    let last = all.iter().rposition(|frame| frame.function == MODULE);
    let chain: Vec<&PythonFrame> = all[..last.map_or(0, |last| last + 1)]
        .iter()
        .enumerate()
        .filter(|(i, frame)| {
            let next = all.get(i + 1);
            frame.function == MODULE || next.is_some_and(|next| next.function == MODULE)
        })
        .map(|(_, frame)| *frame)
        .collect();
    // A script that was started is a module that nobody imported.
    if chain.len() > 1 { chain } else { Vec::new() }
}

/// The line to look at: the last one of the imports; else the program's own innermost; else the
/// innermost of all.
pub fn culprit<'a>(
    python: &'a [PythonFrame],
    imports: &[&'a PythonFrame],
) -> Option<&'a PythonFrame> {
    imports
        .last()
        .copied()
        .or_else(|| frames(python).rfind(|frame| frame.own))
        .or_else(|| frames(python).next_back())
}

/// The culprit, and where it led to: the program's own innermost line behind it, and the package's
/// line that the call came from.
pub fn lines(python: &[PythonFrame]) -> Vec<&PythonFrame> {
    let Some(culprit) = culprit(python, &imports(python)) else {
        return Vec::new();
    };
    let behind: Vec<&PythonFrame> = frames(python)
        .skip_while(|frame| !std::ptr::eq(*frame, culprit))
        .skip(1)
        .collect();
    let own = behind.iter().copied().rfind(|frame| frame.own);
    // The package that is called says more than what that calls in its turn.
    let after_own = behind
        .iter()
        .copied()
        .skip_while(|frame| own.is_some_and(|own| !std::ptr::eq(*frame, own)));
    let of_packages = || {
        let in_package = |frame: &&PythonFrame| !frame.own && package(frame).is_some();
        after_own.clone().filter(in_package)
    };
    let called = of_packages()
        .find(|frame| package(frame) != package(culprit))
        .or_else(|| of_packages().next());
    let mut found = vec![culprit];
    found.extend(own);
    found.extend(called);
    found
}

/// The installed package that a frame is of.
fn package(frame: &PythonFrame) -> Option<&str> {
    installed(&frame.file)?.split('/').next()
}

/// `torch/cuda/__init__.py` of `…/site-packages/torch/cuda/__init__.py`.
fn installed(file: &str) -> Option<&str> {
    ["/site-packages/", "/dist-packages/"]
        .into_iter()
        .find_map(|folder| file.rfind(folder).map(|at| &file[at + folder.len()..]))
}

/// `pkg/gpu.py:4`: from the package on, or from where the program was started.
pub fn line(frame: &PythonFrame, cwd: &Path) -> String {
    let file = &frame.file;
    let from_cwd = || {
        let rest = Path::new(file).strip_prefix(cwd).ok()?.to_str()?;
        (!rest.is_empty()).then_some(rest)
    };
    let short = installed(file).or_else(from_cwd).unwrap_or(file);
    if frame.line > 0 {
        format!("{}:{}", plain(short), frame.line)
    } else {
        plain(short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMPORT: &str = "<frozen importlib._bootstrap>";

    fn stack(frames: &[(&str, u32, &str)]) -> Vec<PythonFrame> {
        frames
            .iter()
            .map(|&(file, line, function)| PythonFrame {
                file: file.into(),
                line,
                function: function.into(),
                own: !file.contains("/lib/") && !file.starts_with("<frozen"),
            })
            .collect()
    }

    fn shown(frames: &[&PythonFrame]) -> Vec<String> {
        let cwd = Path::new("/home/me");
        frames.iter().map(|frame| line(frame, cwd)).collect()
    }

    #[test]
    fn modules_that_imported_one_another() {
        let stack = stack(&[
            ("/home/me/app.py", 3, MODULE),
            (IMPORT, 1, "_find_and_load"),
            ("/home/me/pkg/__init__.py", 10, MODULE),
            (IMPORT, 1, "_find_and_load"),
            ("/home/me/pkg/gpu.py", 5, MODULE),
            ("/home/me/pkg/gpu.py", 4, "ask"),
            (
                "/v/lib/python3.11/site-packages/torch/cuda/__init__.py",
                174,
                "is_available",
            ),
            ("/usr/lib/python3.11/ctypes/__init__.py", 9, "f"),
        ]);
        let chain = ["app.py:3", "pkg/__init__.py:10", "pkg/gpu.py:5"];
        assert_eq!(shown(&imports(&stack)), chain);
        assert_eq!(
            shown(&lines(&stack)),
            ["pkg/gpu.py:5", "pkg/gpu.py:4", "torch/cuda/__init__.py:174"]
        );
    }

    #[test]
    fn what_a_package_calls_of_another_says_most() {
        let site = |file: &str| format!("/v/lib/python3.11/site-packages/{file}");
        let [module, torch] = [site("quick/ops.py"), site("torch/cuda/__init__.py")];
        let stack = stack(&[
            ("<string>", 1, MODULE),
            (IMPORT, 1, "_find_and_load"),
            (&module, 9, MODULE),
            (&module, 4, "probe"),
            (&torch, 174, "is_available"),
            (&torch, 80, "inner"),
        ]);
        assert_eq!(
            shown(&lines(&stack)),
            ["quick/ops.py:9", "torch/cuda/__init__.py:174"]
        );
    }

    #[test]
    fn an_import_inside_a_function_is_part_of_the_chain() {
        let stack = stack(&[
            ("/home/me/app.py", 30, MODULE),
            ("/home/me/app.py", 20, "main"),
            ("/v/lib/python3.11/site-packages/lib/__init__.py", 2, MODULE),
        ]);
        assert_eq!(
            shown(&imports(&stack)),
            ["app.py:30", "app.py:20", "lib/__init__.py:2"]
        );
    }

    #[test]
    fn a_script_imports_nothing_by_being_started() {
        let stack = stack(&[
            ("<frozen runpy>", 198, "_run_module_as_main"),
            ("/home/me/app.py", 30, MODULE),
            ("/home/me/app.py", 20, "main"),
        ]);
        assert_eq!(shown(&imports(&stack)), Vec::<String>::new());
        assert_eq!(shown(&lines(&stack)), ["app.py:20"]);
    }

    #[test]
    fn no_python_no_lines() {
        assert!(lines(&[]).is_empty());
    }
}
