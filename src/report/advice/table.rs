//! The rows of the advice: what has to hold, and what is said then.
//!
//! Each row says where its knowledge comes from. Rows are tried from the top; of each group the
//! first that fits is said, so the special ones stand above the general ones.

/// What a row is about; one row of each group is said, in this order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// Keep CUDA from being initialised in the parent.
    Initialise,
    /// Make the process otherwise.
    Fork,
    /// Keep CUDA out of the child.
    Use,
    /// Let the guard make the process otherwise.
    Guard,
}

/// A condition on what is known. Modules are paths as `torch/cuda`. "Inside" of one is where the
/// program's own line had called into it; what called the program (a server its application, a
/// trainer its dataset) has no part in what the program does.
pub(super) enum Is {
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
    /// The fork was made by this package itself, on its own account: no other installed package
    /// stands between.
    ForkedBy(&'static str),
    /// The fork was made by something that this module had called.
    ForkedUnder(&'static str),
    /// The forking program is this executable.
    Program(&'static str),
    /// The fork was made by the program's own `os.fork()`, not by a library.
    ForkedItself,
    /// CUDA was used inside this module, or by something that it had called.
    Used(&'static str),
    /// There was a Python stack at the fork.
    PythonFork,
    /// The fork was made to run a process object of multiprocessing, or of a package like it.
    Launched,
    /// What the child runs is in no file: a notebook's cell, or typed at a prompt.
    Typed,
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
pub(super) struct Row {
    pub(super) group: Group,
    pub(super) when: &'static [Is],
    pub(super) say: &'static str,
}

const fn row(group: Group, when: &'static [Is], say: &'static str) -> Row {
    Row { group, when, say }
}

use Group::{Fork, Guard, Initialise, Use};
use Is::{
    Asked, Forked, ForkedBy, ForkedItself, ForkedUnder, Imported, ImportedFrom, Initialised,
    InitialisedBy, Launched, NoPython, OtherFork, Program, PythonFork, Revivable, Through, Typed,
    Used, WithoutExec,
};

pub(super) static TABLE: &[Row] = &[
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
        &[ForkedBy("gunicorn")],
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
        &[ForkedBy("celery")],
        "start the Celery worker with --pool=solo or --pool=threads, which do not fork",
    ),
    row(
        Fork,
        &[ForkedBy("billiard")],
        "start the Celery worker with --pool=solo or --pool=threads, which do not fork",
    ),
    // rq docs/workers: Worker forks for each job; SimpleWorker and SpawnWorker do not.
    row(
        Fork,
        &[ForkedBy("rq")],
        "run RQ's jobs without a fork: rq worker --worker-class rq.SimpleWorker (or \
         rq.worker.SpawnWorker)",
    ),
    // docs.vllm.ai, design/multiprocessing; vllm#6152.
    row(
        Fork,
        &[ForkedBy("vllm")],
        "run with VLLM_WORKER_MULTIPROC_METHOD=spawn",
    ),
    // Airflow's configuration reference, [core] execute_tasks_new_python_interpreter.
    row(
        Fork,
        &[ForkedBy("airflow")],
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
        &[ForkedBy("tornado")],
        "call tornado's fork_processes (or the server's start)[ at {f}] before anything touches \
         CUDA",
    ),
    // accelerate, notebook_launcher: it forks, and refuses when CUDA is initialised.
    row(
        Fork,
        &[Forked("accelerate/launchers")],
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
    // lightning.ai, "Strategy": ddp_spawn is ddp_fork (ddp_notebook) with fresh processes.
    row(
        Fork,
        &[Forked("lightning")],
        "give the Trainer[ at {f}] strategy=\"ddp_spawn\"",
    ),
    row(
        Fork,
        &[Forked("pytorch_lightning")],
        "give the Trainer[ at {f}] strategy=\"ddp_spawn\"",
    ),
    // docs.pytorch.org, distributed.elastic: LaunchConfig's start_method; torchrun runs scripts.
    row(
        Fork,
        &[Forked("torch/distributed")],
        "give the LaunchConfig[ of the launch at {f}] start_method=\"spawn\", or start the script \
         with torchrun",
    ),
    // docs.pytorch.org, torch.multiprocessing: spawn() is start_processes(start_method="spawn").
    row(
        Fork,
        &[Forked("torch/multiprocessing/spawn")],
        "start the processes[ at {f}] with start_processes(…, start_method=\"spawn\")",
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
        &[ForkedUnder("ray")],
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
    // docs.python.org, multiprocessing, "The spawn and forkserver start methods": they import __main__.
    row(
        Guard,
        &[Launched, WithoutExec, Typed],
        "let forkguard do it, which carries functions that are in no file, too (spawn cannot): \
         FORKGUARD_POLICY=exec",
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
pub(super) const GENERAL: Row = row(
    Initialise,
    &[],
    "fork first and initialise CUDA afterwards: move what initialises it[ ({i})] to after the \
     fork[ at {f}], or into the child",
);
