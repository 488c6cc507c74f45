//! What to do about it: a table from what the stacks show to the framework's own switch.
//!
//! Each row says where its knowledge comes from. Rows are tried from the top; of each group the
//! first that fits is said, so the special ones stand above the general ones. Reads captured
//! frames only; allocates nothing.

use core::fmt;

use super::frames::{self, Beside, Location, Origin};
use super::{Kind, Violation, native};
use crate::lineage::Moment;
use crate::policy::exec;
use crate::stack::PythonLine;

/// Pieces of advice at most.
pub const MOST: usize = 4;

/// What a row is about; one row of each group is said, in this order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    /// Keep CUDA from being initialised in the parent.
    Initialise,
    /// Make the process otherwise.
    Fork,
    /// Keep CUDA out of the child.
    Use,
    /// Let the guard make the process otherwise.
    Guard,
}

/// A condition on what is known. Modules are paths as `torch/cuda`.
enum Is {
    /// The parent had no context: it only asked.
    Asked,
    /// CUDA was initialised inside this module.
    Initialised(&'static str),
    /// … inside this function of it.
    InitialisedBy(&'static str, &'static str),
    /// … inside an `import` of somebody else's module, made by the program's own code.
    Imported,
    /// … inside an `import` of this module.
    ImportedFrom(&'static str),
    /// The fork was made inside this module.
    Forked(&'static str),
    /// The forking program is this executable.
    Program(&'static str),
    /// The fork was made by the program's own `os.fork()`, not by a library.
    ForkedItself,
    /// CUDA was used inside this module.
    Used(&'static str),
    /// There was a Python stack at the fork.
    PythonFork,
    /// The fork was made to run a process object of multiprocessing, or of a package like it.
    Launched,
    /// The policy `exec` was not asked for.
    WithoutExec,
    /// It was, and the fork is of a kind that it does not know.
    OtherFork,
    /// Python had no part in the fork or the use.
    NoPython,
    /// The call in the child came through this library.
    Through(&'static str),
    /// A driver of its own would help the child, and nobody has tried to give it one.
    Revivable,
}

/// One row. In `say`, `{i}`, `{f}` and `{u}` are the program's lines where CUDA was initialised,
/// where the fork was, and where CUDA was used; `{m}` is the imported module. A part in square
/// brackets is left out where one of its names is unknown; elsewhere "the program" stands in.
struct Row {
    group: Group,
    when: &'static [Is],
    say: &'static str,
}

const fn row(group: Group, when: &'static [Is], say: &'static str) -> Row {
    Row { group, when, say }
}

use Group::{Fork, Guard, Initialise, Use};
use Is::{
    Asked, Forked, ForkedItself, Imported, ImportedFrom, Initialised, InitialisedBy, Launched,
    NoPython, OtherFork, Program, PythonFork, Revivable, Through, Used, WithoutExec,
};

static TABLE: &[Row] = &[
    // docs.pytorch.org, torch.cuda.is_available: with the variable it does not poison a fork.
    row(
        Initialise,
        &[Asked, InitialisedBy("torch/cuda", "is_available")],
        "{i} only asks whether CUDA is there: run with PYTORCH_NVML_BASED_CUDA_CHECK=1, or ask \
         in the worker",
    ),
    // pytorch#83973: device_count() poisoned; since it goes through NVML it does not.
    row(
        Initialise,
        &[Asked, InitialisedBy("torch/cuda", "device_count")],
        "{i} only counts devices, which this PyTorch does through CUDA: count them in the \
         worker, or upgrade PyTorch, which counts them through NVML",
    ),
    row(
        Initialise,
        &[Asked, Initialised("torch")],
        "{i} only asks PyTorch about the GPU: ask in the worker",
    ),
    // cudf#4827: the documented way to import RAPIDS without initialising CUDA.
    row(
        Initialise,
        &[ImportedFrom("cudf")],
        "run with RAPIDS_NO_INITIALIZE=1, so that `import {m}`[ at {i}] does not initialise CUDA",
    ),
    row(
        Initialise,
        &[ImportedFrom("rmm")],
        "run with RAPIDS_NO_INITIALIZE=1, so that `import {m}`[ at {i}] does not initialise CUDA",
    ),
    row(
        Initialise,
        &[ImportedFrom("cuml")],
        "run with RAPIDS_NO_INITIALIZE=1, so that `import {m}`[ at {i}] does not initialise CUDA",
    ),
    row(
        Initialise,
        &[ImportedFrom("dask_cudf")],
        "run with RAPIDS_NO_INITIALIZE=1, so that `import {m}`[ at {i}] does not initialise CUDA",
    ),
    // triton#10938, vllm#46996: from 3.8 on Triton asks the driver itself whether it is there;
    // 3.8's last releases ask torch where torch was imported first (triton#10935).
    row(
        Initialise,
        &[Imported, Initialised("triton")],
        "[`import {m}` at {i} makes ]Triton look for its driver with cuInit: import torch before \
         it and run with PYTORCH_NVML_BASED_CUDA_CHECK=1, or import it in the worker",
    ),
    row(
        Initialise,
        &[Initialised("triton")],
        "{i} makes Triton look for its driver with cuInit: import torch before it and run with \
         PYTORCH_NVML_BASED_CUDA_CHECK=1, or compile in the worker",
    ),
    // Imports known to reach the driver: transformers, bitsandbytes, xgrammar, torchao, mmcv
    // (threads of vllm, accelerate#3925, mmcv). One advice serves them all.
    row(
        Initialise,
        &[Imported],
        "move [`import {m}` from {i}]|[the import at {i}] into the function that the worker runs, \
         or to after the fork",
    ),
    // numba raises "CUDA initialized before forking" (numba.cuda.cudadrv.driver).
    row(
        Initialise,
        &[Asked, Initialised("numba")],
        "{i} only asks numba about the GPU: call numba.cuda in the worker alone",
    ),
    row(
        Initialise,
        &[Asked, Initialised("numba_cuda")],
        "{i} only asks numba about the GPU: call numba.cuda in the worker alone",
    ),
    row(
        Initialise,
        &[Asked, Initialised("cupy")],
        "{i} only asks CuPy about the GPU: ask in the worker",
    ),
    row(
        Initialise,
        &[Asked, Initialised("cupy_backends")],
        "{i} only asks CuPy about the GPU: ask in the worker",
    ),
    // spacy.io, prefer_gpu: it activates the GPU in the process that calls it.
    row(
        Initialise,
        &[Initialised("spacy")],
        "call spacy.prefer_gpu() in the worker, not[ at {i}] before the fork",
    ),
    // PaddleOCR#17144: create the instance in the worker, which must be spawned.
    row(
        Initialise,
        &[Initialised("paddleocr")],
        "create PaddleOCR in the worker, not[ at {i}] before the fork",
    ),
    row(
        Initialise,
        &[Initialised("paddle")],
        "load the Paddle model in the worker, not[ at {i}] before the fork",
    ),
    // jax#20734 and jax's own warning at os.fork: its threads do not survive.
    row(
        Initialise,
        &[Initialised("jax")],
        "{i} starts JAX in the parent: make the first JAX call in the worker",
    ),
    row(
        Initialise,
        &[Initialised("vllm")],
        "let vLLM start its workers before anything here touches CUDA[ ({i})]",
    ),
    // PyAV: a hardware decoder holds a CUDA context of the process that opened it.
    row(
        Initialise,
        &[Initialised("av")],
        "open the hardware decoder in the worker, not[ at {i}] before the fork",
    ),
    // benoitc/gunicorn settings: preload_app, post_fork; pytorch#68861.
    row(
        Fork,
        &[Forked("gunicorn")],
        "gunicorn --preload loads the application before it forks: run without --preload, or \
         move what initialises CUDA[ ({i})] into a post_fork hook",
    ),
    // uwsgi-docs, "Preforking VS lazy-apps".
    row(
        Fork,
        &[Program("uwsgi")],
        "uWSGI loads the application before it forks: set lazy-apps = true",
    ),
    // Debian's package, where Python is a plugin; PyPI's pyuwsgi, a library.
    row(
        Fork,
        &[Program("uwsgi-core")],
        "uWSGI loads the application before it forks: set lazy-apps = true",
    ),
    row(
        Fork,
        &[Program("pyuwsgi")],
        "uWSGI loads the application before it forks: set lazy-apps = true",
    ),
    // docs.celeryq.dev, concurrency: prefork is the default; solo and threads do not fork.
    row(
        Fork,
        &[Forked("celery")],
        "start the Celery worker with --pool=solo or --pool=threads, which do not fork",
    ),
    row(
        Fork,
        &[Forked("billiard")],
        "start the Celery worker with --pool=solo or --pool=threads, which do not fork",
    ),
    // rq docs/workers: Worker forks for each job; SimpleWorker and SpawnWorker do not.
    row(
        Fork,
        &[Forked("rq")],
        "run RQ's jobs without a fork: rq worker --worker-class rq.SimpleWorker (or \
         rq.worker.SpawnWorker)",
    ),
    // docs.vllm.ai, design/multiprocessing; vllm#6152.
    row(
        Fork,
        &[Forked("vllm")],
        "run with VLLM_WORKER_MULTIPROC_METHOD=spawn",
    ),
    // Airflow's configuration reference, [core] execute_tasks_new_python_interpreter.
    row(
        Fork,
        &[Forked("airflow")],
        "run with AIRFLOW__CORE__EXECUTE_TASKS_NEW_PYTHON_INTERPRETER=True",
    ),
    // docs.python.org, socketserver: ForkingMixIn makes a process for each request.
    row(
        Fork,
        &[Forked("socketserver")],
        "make the server[ at {f}] with socketserver.ThreadingMixIn, not with ForkingMixIn",
    ),
    // tornadoweb.org, tornado.process.fork_processes: before the event loop, and before this.
    row(
        Fork,
        &[Forked("tornado")],
        "call tornado's fork_processes (or the server's start)[ at {f}] before anything touches \
         CUDA",
    ),
    // accelerate, notebook_launcher: it forks, and refuses when CUDA is initialised.
    row(
        Fork,
        &[Forked("accelerate")],
        "restart the notebook's kernel and call notebook_launcher[ ({f})] before any cell \
         touches CUDA",
    ),
    // docs.pytorch.org, torch.utils.data: multiprocessing_context.
    row(
        Fork,
        &[Forked("torch/utils/data")],
        "give the DataLoader[ at {f}] multiprocessing_context=\"spawn\"",
    ),
    // huggingface.co/docs/datasets, "Map with GPU": multiprocess, not multiprocessing.
    row(
        Fork,
        &[Forked("datasets")],
        "for num_proc=…[ at {f}], call multiprocess.set_start_method(\"spawn\") first (the \
         module is multiprocess, not multiprocessing)",
    ),
    row(
        Fork,
        &[Forked("torch/multiprocessing")],
        "start the processes with torch.multiprocessing.get_context(\"spawn\")[ at {f}]",
    ),
    // joblib docs, Parallel: loky starts fresh processes.
    row(
        Fork,
        &[Forked("joblib")],
        "use joblib's loky backend, which starts fresh processes: \
         Parallel(backend=\"loky\")[ at {f}]",
    ),
    row(
        Fork,
        &[Forked("ray")],
        "let Ray start the process: put the work into a @ray.remote(num_gpus=1) task or actor",
    ),
    row(
        Fork,
        &[Forked("concurrent/futures")],
        "start the workers with ProcessPoolExecutor(mp_context=\
         multiprocessing.get_context(\"spawn\"))[ at {f}]",
    ),
    // The multiprocess package is a copy of multiprocessing with a context of its own.
    row(
        Fork,
        &[Forked("multiprocess")],
        "start the workers with multiprocess.get_context(\"spawn\")[ at {f}]",
    ),
    row(
        Fork,
        &[Forked("multiprocessing")],
        "start the workers with multiprocessing.get_context(\"spawn\")[ at {f}]",
    ),
    row(
        Fork,
        &[ForkedItself],
        "replace the fork[ at {f}] by a fresh process: multiprocessing.get_context(\"spawn\"), or \
         subprocess",
    ),
    row(
        Fork,
        &[PythonFork],
        "make the process[ at {f}] afresh, not by fork: subprocess, or \
         multiprocessing.get_context(\"spawn\")",
    ),
    // A batch can be moved to the GPU by the parent, which may use CUDA.
    row(
        Use,
        &[Forked("torch/utils/data"), Used("torch")],
        "keep CUDA out of the Dataset[ ({u})]: return CPU tensors and move the batch to the GPU \
         in the training loop",
    ),
    // pytorch notes/multiprocessing: a CUDA tensor is shared by a handle that needs CUDA.
    row(
        Use,
        &[Used("torch/multiprocessing/reductions")],
        "send CPU tensors through the queue[ ({u})]: to rebuild a CUDA tensor the receiver needs \
         CUDA",
    ),
    row(
        Use,
        &[Through("libnvcuvid.so")],
        "open the decoder[ ({u})] in a process that was not forked after CUDA was initialised",
    ),
    row(
        Guard,
        &[Launched, WithoutExec],
        "let forkguard do it: FORKGUARD_POLICY=exec",
    ),
    row(
        Guard,
        &[OtherFork, NoPython],
        "say with forkguard.h what the process is made for (forkguard_on_exec), and it becomes a \
         fresh one",
    ),
    row(
        Guard,
        &[Asked, Revivable],
        "let forkguard give it a driver of its own: FORKGUARD_POLICY=revive",
    ),
    row(
        Guard,
        &[PythonFork],
        "let it go on without CUDA, on the CPU: FORKGUARD_POLICY=cpu",
    ),
];

/// Said where no row of a group fits, or to fill up.
const GENERAL: Row = row(
    Initialise,
    &[],
    "fork first and initialise CUDA afterwards: move what initialises it[ ({i})] to after the \
     fork[ at {f}], or into the child",
);

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
    for group in [Initialise, Fork, Use, Guard] {
        let row = TABLE.iter().find(|row| {
            row.group == group && row.when.iter().all(|is| holds(is, v, forked, &sites))
        });
        if let Some(row) = row {
            items[len] = Some(Item {
                say: row.say,
                sites,
            });
            len += 1;
        } else if group == Initialise {
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

fn any_frame(at: &Moment, module: &str) -> bool {
    at.stack
        .python
        .iter()
        .any(|frame| frames::in_module(frame.file, module))
}

fn holds(is: &Is, v: &Violation<'_>, forked: Option<&Moment>, sites: &Sites<'_>) -> bool {
    match *is {
        Is::Asked => !v.context,
        Is::Initialised(module) => any_frame(v.initialised, module),
        Is::InitialisedBy(module, function) => v.initialised.stack.python.iter().any(|frame| {
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
        Is::Forked(module) => forked.is_some_and(|at| any_frame(at, module)),
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
        Is::Used(module) => any_frame(v.used, module),
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
                "torch/multiprocessing/spawn.py",
                "torch.multiprocessing.get_context(\"spawn\")",
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
        assert!(last(&story).ends_with("FORKGUARD_POLICY=exec"));
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
