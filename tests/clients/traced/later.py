# Who initialises CUDA: a `thread`; a `subprocess`; the process, whose `child` or `children` then use it, or which ends by
# `code` or `signal`, or is another user (`dropped`); `nobody` (`fail`, `killed`); an orphan (`late`, not `late-nobody`).
import ctypes
import os
import signal
import subprocess
import sys
import threading

what = sys.argv[1]


def initialise():
    ctypes.CDLL("libcuda.so.1").cuInit(0)


if what == "thread":
    worker = threading.Thread(target=initialise)
    worker.start()
    worker.join()
elif what == "subprocess":
    subprocess.run([sys.executable, "-B", __file__, "itself"], check=True)
elif what in ("itself", "child", "children", "code", "signal"):
    initialise()

if what == "child":
    if os.fork() == 0:
        initialise()
        os._exit(0)
    os.wait()
elif what == "code":
    sys.exit(7)
elif what == "fail":
    sys.exit(3)
elif what in ("signal", "killed"):
    os.kill(os.getpid(), signal.SIGKILL)
elif what == "children":
    for _ in range(7):
        if os.fork() == 0:
            initialise()
            os._exit(0)
        os.wait()
elif what == "dropped":
    driver = ctypes.CDLL("libcuda.so.1")
    os.setgid(65534)
    os.setuid(65534)
    driver.cuInit(0)
elif what.startswith("late"):
    ended, alive = os.pipe()
    if os.fork() == 0:
        os.close(alive)
        os.read(ended, 1)
        if what == "late":
            initialise()
        os._exit(0)
print("done", flush=True)
