"""Real servers with real requests, under every policy: gunicorn, uWSGI, uvicorn, Celery's and RQ's workers with a Redis,
a DataLoader of torch's, and a Pool of the multiprocess package, by which datasets maps.

What they serve asks torch for a GPU when it is imported, and computes on it. The servers are started, asked and ended
by the clients of the tests; where the parent only asked, it asked through the runtime.
"""

from check.cases import NUMBA, REFUSED, RUNTIME, TORCH, Told, carried, served, silent
from check.served_cases import FORK, TASKS

EARLY, LATE = {"EARLY": "1", **RUNTIME}, {"EARLY": "0", **RUNTIME}
ENDED = "^ended 0, left behind nothing$"
WITH, WITHOUT = "^200 computed with CUDA$", "^200 computed without CUDA$"
ON_THE_CPU = "torch was asked for .* the CPU takes its place"


def _results(way, *sums):
    """A queue's results, and the end of its worker."""
    results = ", ".join(f"'{total} {way} CUDA'" for total in sums)
    return (rf"^\[{results}\]$", ENDED)


def _answers(line):
    """A server's answers: one without CUDA, three with it; and its end."""
    return ("^200 plain$", rf"(?s)({line}.*){{3}}", ENDED)


GUNICORN = dict(args=("server_gunicorn.py", "sync", "--preload"), needs=(*TORCH, "gunicorn"), env=EARLY,
                bare=(REFUSED, ENDED))
CELERY = dict(args=("server_celery.py",), needs=(*TORCH, "celery", "redis"), env=EARLY,
              bare=(r"^\['RuntimeError', 'RuntimeError', 'RuntimeError', 'RuntimeError'\]$", ENDED))
RQ = dict(args=("server_rq.py", "early"), needs=(*TORCH, "rq", "redis"), env=EARLY, bare=(REFUSED, ENDED))
# Its log is its stderr.
UWSGI = dict(args=("server_uwsgi.py",), needs=(*TORCH, "uwsgi"), env=EARLY, bare=(REFUSED, ENDED), timeout=150)
UWSGI_SAYS = "."
UVICORN = dict(args=("server_uvicorn.py",), needs=(*TORCH, "uvicorn"), env=EARLY, bare=_answers(WITH), timeout=150)

PROGRAM = "server_run.py"

# A worker that aborts is replaced: how many do is the server's to say.
ABORT = [
    carried("guard: gunicorn --preload", PROGRAM, ("abort",), works=_answers("^no answer$"),
            told=Told(violations=range(1, 5), notice=r"server_application\.py:\d+ .*run without --preload"), **GUNICORN),
    carried("guard: uWSGI with its master", PROGRAM, ("abort",), works=_answers("^no answer$"),
            told=Told(violations=range(1, 7), notice=r"server_application\.py:\d+ .*set lazy-apps = true"), **UWSGI),
    carried("guard: Celery, prefork", PROGRAM, ("abort",),
            works=(r"^\['WorkerLostError', 'WorkerLostError', 'WorkerLostError', 'WorkerLostError'\]$", ENDED),
            told=Told(violations=range(1, 5), notice=r"server_jobs\.py:\d+ .*--pool=solo or --pool=threads"), **CELERY),
    carried("guard: RQ, a fork for each job", PROGRAM, ("abort",), works=(r"terminated unexpectedly.*signal 6", ENDED),
            told=Told(violations=2, notice=r"server_jobs\.py:\d+ .*--worker-class rq\.SimpleWorker"), **RQ),
]

RIGHT = [
    carried("guard: uWSGI, lazy-apps", PROGRAM, ("abort",), works=_answers(WITH), told=Told(others=UWSGI_SAYS),
            **{**UWSGI, "args": (*UWSGI["args"], "--lazy-apps"), "bare": _answers(WITH)}),
    silent("uvicorn, spawned workers", PROGRAM, **UVICORN),
    silent("gunicorn --preload, CUDA in the worker only", PROGRAM, **{**GUNICORN, "env": LATE, "bare": _answers(WITH)}),
    silent("gunicorn without --preload", PROGRAM,
           **{**GUNICORN, "args": ("server_gunicorn.py", "sync"), "bare": _answers(WITH)}),
]

FRESH = [
    served("exec: numba, a Pool of multiprocess", "exec_pool.py", ("numba", "multiprocess"),
           needs=(*NUMBA, "multiprocess"), bare=(FORK, "initialized before forking"),
           works=(*TASKS, "^parent again: 56$"), rewritten=2, telling=True, copies=True, timeout=150),
    served("exec: Celery, prefork", PROGRAM, works=_results("with", 8, 16, 24, 32), rewritten=2, initialise="",
           timeout=150, **CELERY),
]

REVIVED = [
    carried("revive: gunicorn --preload", PROGRAM, ("revive",), works=_answers(WITH), told=Told(revived=range(1, 5)),
            **GUNICORN),
    carried("revive: uWSGI with its master", PROGRAM, ("revive",), works=_answers(WITH),
            told=Told(revived=range(1, 7), others=UWSGI_SAYS), **UWSGI),
    carried("revive: Celery, prefork", PROGRAM, ("revive",), works=_results("with", 8, 16, 24, 32),
            told=Told(revived=range(1, 3)), **CELERY),
    carried("revive: RQ, a fork for each job", PROGRAM, ("revive",), works=_results("with", 8, 16),
            told=Told(revived=2), **RQ),
    # One epoch: whom the workers have sent CUDA tensors to has a context from then on.
    carried("revive: torch DataLoader, .cuda(), asked through the runtime", "exec_torch_workers.py", ("revive",),
            args=("asked", "epoch"), needs=TORCH, env=RUNTIME, bare=("completed",),
            works=(r"(?s)batch: 4\.0 on cuda.*batch: 52\.0 on cuda", "^completed$"), told=Told(revived=2)),
]

ABSENT = [
    carried("cpu: gunicorn --preload", PROGRAM, ("cpu",), works=_answers(WITHOUT),
            told=Told(notices=range(1, 5), notice=ON_THE_CPU), **GUNICORN),
    carried("cpu: uWSGI with its master", PROGRAM, ("cpu",), works=_answers(WITHOUT),
            told=Told(notices=range(1, 7), notice=ON_THE_CPU, others=UWSGI_SAYS), **UWSGI),
    carried("cpu: Celery, prefork", PROGRAM, ("cpu",), works=_results("without", 8, 16, 24, 32),
            told=Told(notices=range(1, 3), notice=ON_THE_CPU), **CELERY),
    carried("cpu: RQ, a fork for each job", PROGRAM, ("cpu",), works=_results("without", 8, 16),
            told=Told(notices=2, notice=ON_THE_CPU), **RQ),
]

SERVER_CASES = [*ABORT, *RIGHT, *FRESH, *REVIVED, *ABSENT]
