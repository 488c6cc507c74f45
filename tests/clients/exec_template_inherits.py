"""Proves that a copy of the warm template has of its parent what a forked worker has, though the parent changed it all
after the template was started.

The parent initialises CUDA and starts one worker, for which the template is there. Then it changes its environment (by
Python and by C), folder, umask, limits, priority, processors, scheduling, signals and files, and prints what the next
worker finds of them.
"""
import ctypes
import fcntl
import multiprocessing
import os
import resource
import signal
import sys

context = multiprocessing.get_context("fork")
driver = ctypes.CDLL("libcuda.so.1")
libc = ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_char_p
PARENT = os.getpid()
SHOWN = ("Umask", "SigBlk", "Groups", "NoNewPrivs", "Cpus_allowed_list", "CapEff", "Threads")


def run(target):
    process = context.Process(target=target)
    process.start()
    process.join()
    assert process.exitcode == 0, process.exitcode


def files():
    """Each file by its number: what it is, and whether it closes on exec."""
    for number in sorted(map(int, os.listdir("/proc/self/fd"))):
        try:
            target = os.readlink("/proc/self/fd/%d" % number)
        except OSError:
            continue
        if number in (reading, writing, high, swapped_a, swapped_b, 1, 2):
            yield number, target.partition("[")[0], os.get_inheritable(number), fcntl.fcntl(number, fcntl.F_GETFL)


def show():
    print("parent", os.getppid() == PARENT, os.getsid(0) == os.getsid(PARENT), os.getpgid(0) == os.getpgid(PARENT))
    print("environment", sorted(os.environ.items()))
    print("as C has it", libc.getenv(b"SET_BY_PYTHON"), libc.getenv(b"SET_BY_C"), libc.getenv(b"REMOVED"))
    print("folder", os.getcwd(), "name", open("/proc/self/comm").read().strip())
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(SHOWN):
                print(line.strip())
            elif line.startswith("SigIgn"):
                # But those of the C library's own, which it sets when a thread is first made.
                print("ignored", hex(int(line.split()[1], 16) & ~(3 << 31)))
    print(open("/proc/self/limits").read())
    print("priority", os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0), os.sched_getaffinity(0))
    print("io", libc.syscall(IOPRIO_GET, 1, 0), "slack", libc.prctl(30, 0, 0, 0, 0))
    print("streams", sys.stdout.line_buffering, sys.stdout.encoding, sys.stdout.errors, sys.stderr.line_buffering)
    print("streams", sys.stdout.name, sys.stdout.mode, sys.stdout.write_through, sys.__stdout__ is sys.stdout)
    print("streams", type(sys.stdout.buffer), sys.stdout.buffer.name, type(sys.stdin), sys.stdin.mode)
    for each in files():
        print("file", *each)
    sys.stdout.flush()
    os.write(writing, b"w")


machine = os.uname().machine
IOPRIO_SET, IOPRIO_GET = (251, 252) if machine == "x86_64" else (30, 31)
os.environ["REMOVED"] = "yes"
assert driver.cuInit(0) == 0
run(os.getpid)

os.environ["SET_BY_PYTHON"] = "ä\udcff=\n"
libc.setenv(b"SET_BY_C", b"by C", 1)
os.environ["SET_BY_C"] = "by C"
del os.environ["REMOVED"]
os.chdir("/usr/lib")
os.umask(0o137)
resource.setrlimit(resource.RLIMIT_NOFILE, (400, 3000))
resource.setrlimit(resource.RLIMIT_CORE, (0, 4096))
os.setpriority(os.PRIO_PROCESS, 0, 3)
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
libc.syscall(IOPRIO_SET, 1, 0, 2 << 13 | 6)
libc.prctl(29, 123456, 0, 0, 0)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGALRM, signal.SIGRTMIN + 3])
reading, writing = os.pipe()
os.set_inheritable(writing, True)
high = fcntl.fcntl(reading, fcntl.F_DUPFD, 399)
swapped_a, swapped_b = os.open("/dev/zero", os.O_RDWR), os.open("/dev/full", os.O_RDONLY | os.O_NONBLOCK)
run(show)
assert os.read(reading, 2) == b"w"
