"""Proves what becomes of a start in which something fails, or somebody is killed: `faults python exec_faults.py WAY`.

The worker counts under a lock and sends the count. Whatever happens to it, the parent gets an exception, a dead child,
or the right answer, and has afterwards no more than before: no fd, no child, no lock that nobody gives back. Prints
what happened how often.

    fails [N]      every system call of the parent's that can fail does, one in each start; or the Nth alone
    exhausted [N]  a system call fails, and all that follow in the same start
    killed [N]     the fresh process is killed at a system call of its own, at other ones in other starts
    terminated [N] the same by SIGTERM
    orphaned [N]   the parent is killed at a system call of its own; its worker, if there is one, comes to an end
    interrupted [N]  the parent gets SIGINT at a system call of its own
    handled [N]    the same, and handles it by a fork of its own
"""
import collections
import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys

FAULTS, PARENT, CHILD, END = 0x666B6674, 1, 2, 3
FAIL, KILL, INTERRUPT, EXHAUST, TERMINATE = 1, 2, 3, 4, 5
# Pipes of one start: the sentinel, and from Python 3.8 on the one that tells the child of its parent's end.
PIPES = 4

context = multiprocessing.get_context("fork")
lock, count = context.Lock(), context.Value("i", 0)
ours, theirs = context.Pipe()


def plan(whose, n=0, what=0):
    return ctypes.CDLL(None).prctl(FAULTS, *map(ctypes.c_ulong, (whose, n, what, 0)))


def hit():
    """The number of the call that was hit, or -1; none is hit any more."""
    return plan(END) - 1


# What was hit in the parent before its fork was over.
calls = []


def forked():
    if planned == PARENT:
        calls.append(hit())


def work():
    hit()
    with lock:
        count.value += 1
    with open("/proc/self/cmdline", "rb") as line:
        theirs.send((count.value, line.read().endswith(b"-fork\0")))


def has():
    """What this process must not have more of after a start than before it."""
    try:
        ended, _ = os.waitpid(-1, os.WNOHANG)
        child = "a zombie" if ended else "a child that runs"
    except ChildProcessError:
        child = None
    fds = os.listdir("/proc/self/fd")
    return {fd: os.readlink("/proc/self/fd/" + fd) for fd in fds if os.path.exists("/proc/self/fd/" + fd)}, child


def at_the_fork(whose, n, what):
    """Plans it for the moment when multiprocessing has its pipes, and gives the list of what they are. (Where its
    fork fails it leaves them open, with the guard and without.)"""
    pipe, ends = os.pipe, []

    def made():
        global planned
        ends.extend(pipe())
        if len(ends) == PIPES:
            os.pipe = pipe
            planned = whose
            plan(whose, n, what)
        return tuple(ends[-2:])

    os.pipe = made
    return ends


def start(whose, n, what):
    """One start in which the nth call is hit: what came of it, and the call."""
    process = context.Process(target=work)
    error = None
    ends = at_the_fork(whose, n, what)
    calls.clear()
    try:
        process.start()
    except BaseException as raised:
        error = type(raised).__name__
    if process.pid is None:
        for end in ends:
            os.close(end)
        return error, hit()
    call = calls.pop() if calls else None
    process.join()
    if call is None:
        call = hit()
    code = process.exitcode
    process.close()
    if code == 0:
        assert ours.poll(10), "no answer"
        answer, fresh = ours.recv()
        assert answer == count.value, "a wrong answer"
        return " and ".join(filter(None, [error, "a fresh process" if fresh else "a fork"])), call
    assert not ours.poll(0), "an answer of a dead worker"
    return "dead %s" % code, call


def check(before, n, call, what):
    assert lock.acquire(timeout=5), "the lock is lost at step %d, system call %d (%s)" % (n, call, what)
    lock.release()
    after = has()
    assert after == before, "step %d, system call %d (%s): had %s, has %s" % (n, call, what, before, after)


def steps():
    return [int(sys.argv[2])] if len(sys.argv) > 2 else None


def each(whose, what, numbers):
    seen = collections.Counter()
    before = has()
    for n in numbers:
        result, call = start(whose, n, what)
        if len(sys.argv) > 2:
            print(n, call, result, file=sys.stderr)
        check(before, n, call, result)
        if call == -1:
            assert result == "a fresh process", result
            break
        seen[result] += 1
    return seen


handled = []


def handle(*_):
    child = os.fork()
    if child == 0:
        os._exit(7)
    assert os.waitpid(child, 0) == (child, 7 << 8)
    handled.append(child)


def main(way):
    assert ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
    first, _ = start(PARENT, 0, 0)
    assert first == "a fresh process", first
    # An interrupt that comes later is the interpreter's own affair, as with every fork; and what it does itself can
    # still fail.
    os.register_at_fork(**{"before" if way in ("interrupted", "handled") else "after_in_parent": forked})
    if way == "fails":
        seen = each(PARENT, FAIL, steps() or range(1, 2000))
    elif way == "exhausted":
        seen = each(PARENT, EXHAUST, steps() or range(1, 2000))
    elif way == "interrupted":
        seen = each(PARENT, INTERRUPT, steps() or range(1, 2000))
    elif way == "handled":
        signal.signal(signal.SIGINT, handle)
        seen = each(PARENT, INTERRUPT, steps() or range(1, 2000))
        print("handled", len(handled))
    elif way in ("killed", "terminated"):
        numbers = steps() or [*range(1, 150, 3), *range(150, 5000, 41)]
        seen = each(CHILD, KILL if way == "killed" else TERMINATE, numbers)
    elif way == "one":
        start(PARENT, int(sys.argv[2]), KILL)
        return
    elif way == "orphaned":
        seen = collections.Counter()
        for n in steps() or range(1, 5000, 5):
            ended = subprocess.run([sys.executable, __file__, "one", str(n)])
            seen[ended.returncode] += 1
            if ended.returncode == 0:
                break
    for result in sorted(seen, key=str):
        print(result, seen[result])


main(sys.argv[1])
