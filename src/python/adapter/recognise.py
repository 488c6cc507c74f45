"""Which forks can become fresh processes: those that multiprocessing makes to run a process object.

Also those of packages with its shape (`multiprocess`, billiard): a frame `_launch` of a module `popen_fork`.
"""
import time

from _forkguard import launch, native
from _forkguard.errors import reason

_said = []
NO_CLOUDPICKLE = (
    "cloudpickle is not installed: the fresh process imports __main__ again, as multiprocessing's spawn does "
    "(pip install cloudpickle, and it need not)"
)


def on_fork(frame, in_fork):
    """The pid of the fresh process, or 0 where the fork is to be made. Only interrupts are raised; a process that was
    started and whose pid is not answered is ended by the caller, which has it from `spawn`."""
    code = frame.f_code
    if code.co_name != "_launch" or not code.co_filename.endswith("popen_fork.py"):
        return 0
    local = frame.f_locals
    process = local.get("process_obj")
    if process is None or "child_w" not in local:
        return 0
    name = str(getattr(process, "name", None) or getattr(process, "_name", "a process"))
    began = time.monotonic()
    package = frame.f_globals["__name__"].rpartition(".")[0]
    not_passed = {local["parent_r"], local.get("parent_w")}
    runs_exit = "_run_exitfuncs" in code.co_names
    try:
        pid, way, size, by_value, suspicious = launch.launch(
            package, process, local.get("child_r"), local["child_w"], not_passed, in_fork, runs_exit
        )
    except Exception as error:
        _tell(0, "", name, reason(error), [], 0, began)
        return 0
    note = ""
    if not by_value and not _said:
        _said.append(True)
        note = NO_CLOUDPICKLE
    _tell(pid, way, name, note, suspicious, size, began)
    return pid


def _tell(pid, way, name, why, suspicious, size, began):
    took = min(int((time.monotonic() - began) * 1e6), 2**32 - 1)
    text = [part.replace("\0", "").encode("utf-8", "replace").decode() for part in (name, why, "\n".join(suspicious))]
    native["tell"](pid, way, *text, size, took)
