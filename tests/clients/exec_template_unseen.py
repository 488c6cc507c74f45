"""Proves that a program cannot tell that it has a warm template. `... WHAT`

Each piece first makes sure that the template is there: the first worker waits for it (`FORKGUARD_TEMPLATE=1`), and the
kernel's list of this process's children names it. Then the program does what would meet it: waits for any child in
every way there is, counts SIGCHLD, looks at its files. It prints `WHAT ok`.
"""
import ctypes
import multiprocessing
import os
import signal
import sys
import threading

context = multiprocessing.get_context("fork")
driver = ctypes.CDLL("libcuda.so.1")


def children():
    found = set()
    for thread in os.listdir("/proc/self/task"):
        with open("/proc/self/task/%s/children" % thread) as file:
            found.update(map(int, file.read().split()))
    return found


def run(target=os.getpid, *arguments):
    process = context.Process(target=target, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == 0, process.exitcode
    return process.pid


def nobody(wait, *arguments):
    """It answers at once that there is no child."""
    try:
        answer = wait(*arguments)
    except ChildProcessError:
        return
    raise AssertionError("%s%r answers %r" % (wait.__name__, arguments, answer))


WAITS = (
    (os.wait,),
    (os.wait3, 0),
    (os.wait4, -1, 0),
    (os.waitpid, -1, 0),
    (os.waitpid, -1, os.WNOHANG),
    (os.waitpid, 0, 0),
    (os.waitid, os.P_ALL, 0, os.WEXITED),
    (os.waitid, os.P_ALL, 0, os.WEXITED | os.WNOHANG),
    (os.waitid, os.P_ALL, 0, os.WEXITED | os.WSTOPPED | os.WCONTINUED | os.WNOWAIT),
    (os.waitid, os.P_PGID, os.getpgid(0), os.WEXITED),
)


def no_child():
    for wait, *arguments in WAITS:
        nobody(wait, *arguments)


def no_child_of_a_thread():
    thread = threading.Thread(target=no_child)
    thread.start()
    thread.join()


def other_children():
    """They are waited for as ever, and nothing after them."""
    for wait, *arguments in WAITS:
        if os.WNOHANG in arguments or os.WEXITED | os.WNOHANG in arguments:
            continue
        pid = os.fork()
        if pid == 0:
            os._exit(3)
        answer = wait(*arguments)
        assert (answer.si_pid if hasattr(answer, "si_pid") else answer[0]) == pid, (wait, arguments, answer)
        if arguments and isinstance(arguments[-1], int) and arguments[-1] & os.WNOWAIT and wait is os.waitid:
            assert os.waitpid(pid, 0) == (pid, 3 << 8)
        nobody(os.waitpid, -1, os.WNOHANG)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    assert os.waitpid(-1, os.WNOHANG) == (0, 0)
    assert os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG) is None
    os.close(writing)
    assert os.wait() == (pid, 0)


def sleeping_thread():
    """One thread sleeps in a wait for any child while another reaps the last one."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    answers, tid = [], []

    def sleep():
        tid.append(threading.get_native_id())
        try:
            # It may wake for the child, which stays, any number of times.
            while True:
                answers.append(os.waitid(os.P_ALL, 0, os.WSTOPPED | os.WCONTINUED))
        except ChildProcessError:
            answers.append(None)

    thread = threading.Thread(target=sleep)
    thread.start()
    while not tid or "do_wait" not in open("/proc/self/task/%d/wchan" % tid[0]).read():
        os.sched_yield()
    os.close(writing)
    assert os.waitpid(pid, 0) == (pid, 0)
    thread.join(60)
    assert answers == [None], answers


def ignored():
    """Children that vanish when they end: a wait sleeps until the last one has."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        nobody(os.wait)


def no_signal():
    """The only SIGCHLD are those of the workers."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    for _ in range(3):
        pid = run()
        assert signal.sigwaitinfo([signal.SIGCHLD]).si_pid == pid
    assert signal.sigtimedwait([signal.SIGCHLD], 0) is None


def no_file():
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(3):
        run()
    assert sorted(os.listdir("/proc/self/fd")) == before


def no_active_child():
    assert multiprocessing.active_children() == []
    assert threading.active_count() == 1


def other_program():
    """A program that becomes another one has no child that it did not make."""
    os.execv(sys.executable, [sys.executable, "-c", """if True:
        import os
        try:
            print(os.waitpid(-1, os.WNOHANG))
        except ChildProcessError:
            print("other_program ok")
        """])  # fmt: skip


def process_of_the_same_pid():
    """The template was killed, nobody was told, and its pid is another process's. A program that becomes another one
    ends its template; that process is not it."""
    (template,) = children()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.kill(template, signal.SIGKILL)
    while os.path.exists("/proc/%d" % template):
        os.sched_yield()
    born, its = os.pipe()
    if os.fork() == 0:
        # Of another parent, which has to stay: the program is the one that orphans get here.
        if clone_as(template) == 0:
            os.write(its, b"born")
        signal.pause()
    assert os.read(born, 4) == b"born"
    os.execv(sys.executable, [sys.executable, "-c", """if True:
        import os
        os.kill(%d, 9)
        print("process_of_the_same_pid ok")
        """ % template])  # fmt: skip


def clone_as(pid):
    """A fork of which the pid is chosen: `clone3` with `set_tid`."""
    pids = (ctypes.c_int * 1)(pid)
    arguments = (ctypes.c_uint64 * 11)()
    arguments[4], arguments[8], arguments[9] = signal.SIGCHLD, ctypes.addressof(pids), 1
    made = ctypes.PyDLL(None, use_errno=True).syscall(435, arguments, ctypes.sizeof(arguments))
    assert made >= 0, os.strerror(ctypes.get_errno())
    return made


what = sys.argv[1]
if what == "no_signal":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
assert driver.cuInit(0) == 0
run()
if what == "no_signal":
    signal.sigwaitinfo([signal.SIGCHLD])
assert len(children()) == 1, children()
globals()[what]()
print(what, "ok", flush=True)
