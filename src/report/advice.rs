//! What to do about it: a table from what the stacks show to the framework's own switch.
//!
//! `table` has the rows; here is what their conditions mean, and how a row is written. Reads captured
//! frames only; allocates nothing.

mod table;

use core::fmt;

use table::{GENERAL, Group, Is, TABLE};

use super::frames::{self, Beside, Location, Origin};
use super::{Kind, Violation, native};
use crate::lineage::Moment;
use crate::policy::exec;
use crate::stack::PythonLine;

/// Pieces of advice at most.
pub const MOST: usize = 4;

/// One piece of advice, ready to be written.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    say: &'static str,
    sites: Sites<'a>,
}

/// The places that advice speaks of.
#[derive(Clone, Copy)]
struct Sites<'a> {
    initialised: Option<PythonLine<'a>>,
    forked: Option<PythonLine<'a>>,
    used: Option<PythonLine<'a>>,
    import: Option<frames::Import<'a>>,
}

/// The advice for one violation, the most specific of each group.
pub struct Advice<'a> {
    items: [Option<Item<'a>>; MOST],
}

impl<'a> Advice<'a> {
    /// The pieces, the most useful first.
    pub fn iter(&self) -> impl Iterator<Item = &Item<'a>> {
        self.items.iter().flatten()
    }
}

/// What to do about `v`.
pub fn of<'a>(v: &'a Violation<'a>) -> Advice<'a> {
    let forked = v.forks.last().map(|fork| &fork.at);
    let import = frames::import(&v.initialised.stack.python);
    let sites = Sites {
        initialised: own_line(v.initialised),
        forked: forked.and_then(own_line),
        used: own_line(v.used),
        import,
    };
    let mut items = [None; MOST];
    let mut len = 0;
    for group in [Group::Initialise, Group::Fork, Group::Use, Group::Guard] {
        let row = TABLE.iter().find(|row| {
            row.group == group && row.when.iter().all(|is| holds(is, v, forked, &sites))
        });
        if let Some(row) = row {
            items[len] = Some(Item {
                say: row.say,
                sites,
            });
            len += 1;
        } else if group == Group::Initialise {
            items[len] = Some(Item {
                say: GENERAL.say,
                sites,
            });
            len += 1;
        }
    }
    Advice { items }
}

fn own_line(at: &Moment) -> Option<PythonLine<'_>> {
    frames::fold(&at.stack.python, Beside::Called)
        .filter(|seen| seen.own)
        .map(|seen| seen.line)
}

/// What the program's own line had called: the frames further in.
fn called(at: &Moment) -> impl Iterator<Item = PythonLine<'_>> {
    let is_called = |frame: &PythonLine<'_>| frames::origin(frame.file) != Origin::Own;
    at.stack.python.iter().take_while(is_called)
}

fn any<'a>(mut frames: impl Iterator<Item = PythonLine<'a>>, module: &str) -> bool {
    frames.any(|frame| frames::in_module(frame.file, module))
}

/// Whether the innermost package is `package`. gevent's patches stand in for `os.fork` itself.
fn is_by(at: &Moment, package: &str) -> bool {
    called(at)
        .filter(|frame| frames::origin(frame.file) == Origin::Package)
        .find(|frame| !frames::in_module(frame.file, "gevent"))
        .is_some_and(|frame| frames::in_module(frame.file, package))
}

fn holds(is: &Is, v: &Violation<'_>, forked: Option<&Moment>, sites: &Sites<'_>) -> bool {
    match *is {
        Is::Asked => !v.context,
        Is::Initialised(module) => any(called(v.initialised), module),
        Is::InitialisedBy(module, function) => called(v.initialised).any(|frame| {
            frames::in_module(frame.file, module) && frames::last_name(frame.function) == function
        }),
        Is::Imported => sites.import.is_some_and(|import| {
            // A library's own late import cannot be moved; the program's own module can be
            // changed itself.
            frames::origin(import.at.file) == Origin::Own
                && import
                    .file
                    .is_none_or(|file| frames::origin(file) != Origin::Own)
        }),
        Is::ImportedFrom(module) => sites
            .import
            .and_then(|import| import.file)
            .is_some_and(|file| frames::in_module(file, module)),
        Is::Forked(module) => forked.is_some_and(|at| any(called(at), module)),
        Is::ForkedBy(package) => forked.is_some_and(|at| is_by(at, package)),
        Is::ForkedUnder(module) => forked.is_some_and(|at| any(at.stack.python.iter(), module)),
        Is::Program(name) => forked.is_some_and(|at| {
            at.stack
                .native()
                .iter()
                .filter_map(|&address| native::library(address))
                // A library's name goes on after a dot.
                .any(|module| module.split('.').next() == Some(name))
        }),
        Is::Launched => forked.is_some_and(|at| {
            at.stack.python.iter().any(|frame| {
                frame.file.ends_with("popen_fork.py")
                    && frames::last_name(frame.function) == "_launch"
            })
        }),
        Is::Typed => sites.used.is_some_and(|line| frames::is_typed(line.file)),
        Is::WithoutExec => v.refusal.is_none(),
        Is::OtherFork => v.refusal == Some(exec::OTHER_FORK),
        Is::NoPython => {
            let is_empty = |at: &Moment| at.stack.python.is_empty();
            forked.is_some_and(is_empty) && is_empty(v.used)
        }
        Is::ForkedItself => forked.is_some_and(|at| {
            at.stack
                .python
                .iter()
                .next()
                .is_some_and(|frame| frames::origin(frame.file) == frames::Origin::Own)
        }),
        Is::Revivable => v.kind != Kind::XlaCall && v.not_revived.is_none(),
        Is::Used(module) => any(v.used.stack.python.iter(), module),
        Is::PythonFork => forked.is_some_and(|at| !at.stack.python.is_empty()),
        Is::Through(library) => v
            .used
            .stack
            .native()
            .iter()
            .filter_map(|&address| native::library(address))
            .any(|module| module.starts_with(library)),
    }
}

impl<'a> Item<'a> {
    /// The text, with paths from `cwd` on.
    pub fn display(&self, cwd: &'a str) -> impl fmt::Display + '_ {
        Shown { item: self, cwd }
    }
}

struct Shown<'a> {
    item: &'a Item<'a>,
    cwd: &'a str,
}

impl Shown<'_> {
    fn site(&self, name: u8) -> Option<PythonLine<'_>> {
        match name {
            b'i' => self.item.sites.initialised,
            b'f' => self.item.sites.forked,
            _ => self.item.sites.used,
        }
    }

    fn known(&self, name: u8) -> bool {
        if name == b'm' {
            self.module().is_some()
        } else {
            self.site(name).is_some()
        }
    }

    fn module(&self) -> Option<frames::ModuleName<'_>> {
        self.item.sites.import.and_then(|import| import.module())
    }

    /// Writes a part of a row in which brackets no longer occur.
    fn plain(&self, part: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = part;
        while let Some(open) = rest.find('{') {
            f.write_str(&rest[..open])?;
            let name = rest.as_bytes()[open + 1];
            match (name, self.site(name), self.module()) {
                (b'm', _, Some(module)) => write!(f, "{module}")?,
                (b'm', _, None) => f.write_str("it")?,
                (_, Some(frame), _) => write!(
                    f,
                    "{}",
                    Location {
                        frame,
                        cwd: self.cwd
                    }
                )?,
                (_, None, _) => f.write_str("the program")?,
            }
            rest = &rest[open + 3..];
        }
        f.write_str(rest)
    }

    fn all_known(&self, part: &str) -> bool {
        part.match_indices('{')
            .all(|(at, _)| self.known(part.as_bytes()[at + 1]))
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.item.say;
        while let Some(open) = rest.find('[') {
            let Some(close) = rest[open..].find(']').map(|at| open + at) else {
                break;
            };
            self.plain(&rest[..open], f)?;
            let part = &rest[open + 1..close];
            let after = &rest[close + 1..];
            // "[a]|[b]": b where a cannot be said.
            let other = after
                .strip_prefix("|[")
                .and_then(|after| after.split_once(']'));
            if self.all_known(part) {
                self.plain(part, f)?;
            } else if let Some((other, _)) = other {
                self.plain(other, f)?;
            }
            rest = other.map_or(after, |(_, after)| after);
        }
        self.plain(rest, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{FORKED, IMPORT, INITIALISED, Lines, Story, TORCH, USED};

    fn advice(story: &Story) -> Vec<String> {
        story.tell(|v| {
            of(v)
                .iter()
                .map(|item| item.display("/home/me").to_string())
                .collect()
        })
    }

    fn package(path: &str) -> String {
        format!("/opt/lib/python3.12/site-packages/{path}")
    }

    /// The advice where `path` (of a package) was on the stack of the fork, under app.py:31.
    fn forked_in(path: &str) -> String {
        let path = package(path);
        let lines: Lines<'_> = &[
            (
                "/usr/lib/python3.12/multiprocessing/popen_fork.py",
                66,
                "_launch",
            ),
            (&path, 7, "f"),
            ("/home/me/app.py", 31, "main"),
        ];
        advice(&Story::new(INITIALISED, lines, USED))[1].clone()
    }

    fn initialised_in(path: &str, context: bool) -> String {
        let path = package(path);
        let mut story = Story::new(
            &[(&path, 7, "f"), ("/home/me/app.py", 12, "main")],
            FORKED,
            USED,
        );
        story.context = context;
        advice(&story)[0].clone()
    }

    fn imported(path: &str) -> String {
        let path = package(path);
        let lines: Lines<'_> = &[(&path, 7, "<module>"), IMPORT, ("/home/me/app.py", 3, "f")];
        advice(&Story::new(lines, FORKED, USED))[0].clone()
    }

    #[test]
    fn the_frameworks_own_switch_for_what_only_asked() {
        assert!(
            advice(&Story::new(INITIALISED, FORKED, USED))[0]
                .starts_with("app.py:12 only asks whether CUDA is there: run with PYTORCH_NVML")
        );
        let count: Lines<'_> = &[(TORCH, 9, "device_count"), ("/home/me/app.py", 12, "f")];
        assert!(advice(&Story::new(count, FORKED, USED))[0].contains("count them in the worker"));
        assert!(initialised_in("torch/random.py", false).contains("only asks PyTorch"));
        assert!(initialised_in("numba/cuda/api.py", false).contains("only asks numba"));
        assert!(initialised_in("cupy/cuda/__init__.py", false).contains("only asks CuPy"));
        assert!(initialised_in("spacy/util.py", false).starts_with("call spacy.prefer_gpu()"));
        assert!(initialised_in("jax/_src/api.py", true).contains("starts JAX in the parent"));
        assert!(initialised_in("paddleocr/_models/x.py", true).contains("create PaddleOCR in"));
        assert!(initialised_in("av/codec.py", true).contains("open the hardware decoder in"));
        assert!(initialised_in("triton/runtime/x.py", false).contains("makes Triton look"));
    }

    #[test]
    fn a_parent_that_used_the_gpu_did_not_only_ask() {
        assert_eq!(
            initialised_in("torch/cuda/__init__.py", true),
            "fork first and initialise CUDA afterwards: move what initialises it (app.py:12) to \
             after the fork at app.py:31, or into the child"
        );
    }

    #[test]
    fn imports() {
        assert_eq!(
            imported("mmcv/__init__.py"),
            "move `import mmcv` from app.py:3 into the function that the worker runs, or to after \
             the fork"
        );
        assert_eq!(
            imported("cudf/__init__.py"),
            "run with RAPIDS_NO_INITIALIZE=1, so that `import cudf` at app.py:3 does not \
             initialise CUDA"
        );
        for rapids in [
            "rmm/__init__.py",
            "cuml/__init__.py",
            "dask_cudf/__init__.py",
        ] {
            assert!(imported(rapids).contains("RAPIDS_NO_INITIALIZE=1"));
        }
        assert!(imported("triton/__init__.py").starts_with("`import triton` at app.py:3 makes"));
        let extension = &[IMPORT, ("/home/me/app.py", 3, "<module>")];
        assert!(
            advice(&Story::new(extension, FORKED, USED))[0]
                .starts_with("move the import at app.py:3 into")
        );
    }

    #[test]
    fn the_frameworks_own_way_to_make_processes() {
        for (path, what) in [
            ("gunicorn/arbiter.py", "post_fork hook"),
            ("celery/worker.py", "--pool=solo"),
            ("billiard/process.py", "--pool=threads"),
            ("rq/worker.py", "rq.SimpleWorker"),
            ("vllm/executor.py", "VLLM_WORKER_MULTIPROC_METHOD=spawn"),
            ("airflow/x.py", "EXECUTE_TASKS_NEW_PYTHON_INTERPRETER"),
            (
                "tornado/process.py",
                "at app.py:31 before anything touches CUDA",
            ),
            ("accelerate/launchers.py", "notebook_launcher (app.py:31)"),
            (
                "torch/utils/data/dataloader.py",
                "at app.py:31 multiprocessing_context=\"spawn\"",
            ),
            (
                "datasets/arrow_dataset.py",
                "multiprocess.set_start_method(\"spawn\")",
            ),
            (
                "torch/multiprocessing/pool.py",
                "torch.multiprocessing.get_context(\"spawn\")",
            ),
            (
                "torch/multiprocessing/spawn.py",
                "at app.py:31 with start_processes(…, start_method=\"spawn\")",
            ),
            (
                "torch/distributed/launcher/api.py",
                "give the LaunchConfig of the launch at app.py:31 start_method=\"spawn\"",
            ),
            (
                "pytorch_lightning/strategies/launchers/multiprocessing.py",
                "give the Trainer at app.py:31 strategy=\"ddp_spawn\"",
            ),
            (
                "lightning/pytorch/strategies/launchers/multiprocessing.py",
                "give the Trainer at app.py:31 strategy=\"ddp_spawn\"",
            ),
            ("joblib/parallel.py", "backend=\"loky\""),
            ("ray/x.py", "@ray.remote"),
            (
                "multiprocess/pool.py",
                "multiprocess.get_context(\"spawn\") at app.py:31",
            ),
            (
                "pandas/x.py",
                "multiprocessing.get_context(\"spawn\") at app.py:31",
            ),
        ] {
            assert!(
                forked_in(path).contains(what),
                "{path}: {}",
                forked_in(path)
            );
        }
        let executor: Lines<'_> = &[
            ("/usr/lib/python3.12/concurrent/futures/process.py", 7, "f"),
            ("/home/me/app.py", 31, "main"),
        ];
        assert!(advice(&Story::new(INITIALISED, executor, USED))[1].contains("mp_context="));
        let server: Lines<'_> = &[
            ("/usr/lib/python3.12/socketserver.py", 7, "f"),
            ("/home/me/app.py", 31, "main"),
        ];
        assert!(
            advice(&Story::new(INITIALISED, server, USED))[1]
                .contains("app.py:31 with socketserver.T")
        );
        let own: Lines<'_> = &[("/home/me/app.py", 31, "main")];
        let all = advice(&Story::new(INITIALISED, own, USED));
        assert!(
            all.len() == 3 && all[1].starts_with("replace the fork at"),
            "{all:?}"
        );
    }

    /// What a server is told of its own forks is no use to an application of it that forks.
    #[test]
    fn who_called_the_program_did_not_fork() {
        let [server, gevent, application, popen] = [
            "gunicorn/arbiter.py",
            "gevent/os.py",
            "shop/resize.py",
            "celery/app/trace.py",
        ]
        .map(package);
        let forked = |lines: Lines<'_>| advice(&Story::new(INITIALISED, lines, USED))[1].clone();
        let own = ("/home/me/app.py", 31, "resize");
        let launch = (
            "/usr/lib/python3.12/multiprocessing/popen_fork.py",
            66,
            "_launch",
        );
        for caller in [&server, &popen] {
            assert_eq!(
                forked(&[launch, own, (caller, 7, "f")]),
                "start the workers with multiprocessing.get_context(\"spawn\") at app.py:31"
            );
            assert!(
                forked(&[launch, (&application, 9, "resize"), (caller, 7, "f")])
                    .starts_with("start the workers with multiprocessing.get_context(\"spawn\")")
            );
        }
        // Patched by gevent, the server forks nevertheless itself.
        assert!(forked(&[(&gevent, 3, "fork"), (&server, 7, "f")]).starts_with("gunicorn"));
    }

    /// accelerate wraps data loaders, too; its launcher has no part in their workers.
    #[test]
    fn the_innermost_library_is_spoken_of() {
        let [loader, wrapped, torch] = [
            "torch/utils/data/dataloader.py",
            "accelerate/data_loader.py",
            "torch/distributed/run.py",
        ]
        .map(package);
        let lines: Lines<'_> = &[
            (&loader, 7, "f"),
            (&wrapped, 9, "__iter__"),
            ("/home/me/app.py", 31, "main"),
        ];
        assert!(
            advice(&Story::new(INITIALISED, lines, USED))[1].starts_with("give the DataLoader")
        );
        let inside: Lines<'_> = &[("/home/me/app.py", 12, "main"), (&torch, 5, "run")];
        assert!(advice(&Story::new(inside, FORKED, USED))[0].starts_with("fork first"));
    }

    #[test]
    fn data_loaders_may_keep_cuda_out() {
        let loader = package("torch/utils/data/dataloader.py");
        let lines: Lines<'_> = &[(&loader, 7, "f"), ("/home/me/app.py", 31, "main")];
        let all = advice(&Story::new(INITIALISED, lines, USED));
        assert_eq!(all.len(), 4);
        assert!(
            all[2].contains("keep CUDA out of the Dataset (worker.py:9)"),
            "{}",
            all[2]
        );
    }

    /// By the policy that serves most; and not by one that was asked for already, and refused.
    #[test]
    fn the_guard_itself_can_do_it() {
        let mut story = Story::new(INITIALISED, FORKED, USED);
        let last = |story: &Story| advice(story).last().cloned().unwrap();
        assert_eq!(last(&story), "let forkguard do it: FORKGUARD_POLICY=exec");
        for typed in [
            "/tmp/ipykernel_4242/12.py",
            "<stdin>",
            "<stdin-0>",
            "<string>",
        ] {
            let cell = Story::new(INITIALISED, FORKED, &[(typed, 3, "work")]);
            assert!(last(&cell).contains("functions that are in no file"));
        }
        story.refusal = Some("of a reason");
        assert!(last(&story).ends_with("FORKGUARD_POLICY=revive"));
        story.not_revived = Some("of a reason");
        assert!(last(&story).ends_with("FORKGUARD_POLICY=cpu"));
        let mut native = Story::new(&[], &[], &[]);
        assert!(last(&native).ends_with("FORKGUARD_POLICY=revive"));
        native.kind = Kind::XlaCall;
        assert!(!last(&native).contains("forkguard"));
        native.kind = Kind::DriverCall;
        native.context = true;
        assert!(!last(&native).contains("forkguard"));
        native.refusal = Some(exec::OTHER_FORK);
        assert!(last(&native).starts_with("say with forkguard.h"));
    }

    #[test]
    fn nothing_known_is_still_advice_without_holes() {
        let mut story = Story::new(&[], &[], &[]);
        assert_eq!(
            advice(&story),
            [
                "fork first and initialise CUDA afterwards: move what initialises it to after the \
              fork, or into the child",
                "let forkguard give it a driver of its own: FORKGUARD_POLICY=revive"
            ]
        );
        story.context = true;
        story.forks.clear();
        assert_eq!(advice(&story).len(), 1);
    }

    /// A row that an earlier one always hides, or a name that the text cannot fill in, is a
    /// mistake in the table.
    #[test]
    fn every_row_is_well_formed() {
        for row in TABLE.iter().chain([&GENERAL]) {
            let story = Story::new(INITIALISED, FORKED, USED);
            let say = row.say;
            assert_eq!(say.matches('[').count(), say.matches(']').count(), "{say}");
            for (at, _) in say.match_indices('{') {
                let name = &say[at..at + 3];
                assert!(["{i}", "{f}", "{u}", "{m}"].contains(&name), "{say}");
            }
            let sites = story.tell(|_| Sites {
                initialised: None,
                forked: None,
                used: None,
                import: None,
            });
            let bare = Item { say, sites }.display("").to_string();
            assert!(!bare.contains(['{', '}', '[', ']', '|']), "{bare}");
            assert!(!bare.ends_with('.') && !bare.contains("  "), "{bare}");
        }
    }
}
