"""What the programs share: they tell how their children ended, in words that two runs can be compared by.

No pid, no time and no address is printed: the output of a guarded run must equal the bare one's.
"""

import os
import select
import signal
import time
from multiprocessing import connection

# How long a child may take before the program calls it hung and kills it.
PATIENCE = 40.0


def say(text):
    """Prints at once, so that a fork never copies a half-full buffer."""
    print(text, flush=True)


def told(error):
    """An exception as one line."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def attempt(work):
    """What `work` returned, or the error it raised, as text."""
    try:
        return f"{work()}"
    except Exception as error:  # whatever a framework raises is what its users see
        return told(error)


def await_pid(pid, patience=PATIENCE):
    """Waits for a child made by os.fork and says how it ended."""
    ended, _, _ = select.select([os.pidfd_open(pid)], [], [], patience)
    if not ended:
        say("child hung")
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return
    say(f"child exit: {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}")


def await_processes(processes, patience=PATIENCE):
    """Waits for multiprocessing's children and says how they ended."""
    for process in processes:
        process.join(patience)
        if process.exitcode is None:
            say("child hung")
            process.kill()
            process.join()
        else:
            say(f"child exit: {process.exitcode}")


def await_pool(pool, pending):
    """Waits for a Pool's results, or for the first worker that dies, and says which it was.

    A Pool whose worker is killed never delivers: it starts another worker and waits for ever.
    """
    workers = list(pool._pool)
    sentinels = [worker.sentinel for worker in workers]
    while not pending.ready() and not connection.wait(sentinels, timeout=0.1):
        pass
    if pending.ready():
        for result in pending.get():
            say(f"task: {result}")
        pool.close()
        pool.join()
        say(f"child exit: {_exits(workers)}")
    else:
        dead = [worker for worker in workers if connection.wait([worker.sentinel], timeout=0)]
        say("a worker died")
        say(f"child exit: {_exits(dead)}")
        pool.terminate()
        pool.join()


def _exits(processes):
    """The exit codes of ended processes; the Pool's own thread may be collecting one right now."""
    for _ in range(500):
        codes = {process.exitcode for process in processes}
        if None not in codes:
            break
        time.sleep(0.01)
    return sorted(code for code in codes if code is not None)
