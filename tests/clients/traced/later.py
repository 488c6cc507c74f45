# Who initialises CUDA, by its argument: a named `thread`; a `subprocess`; the process, whose forked `child` then uses
# it; the process, which then ends with a `code`, or by a `signal`; `nobody`, who also may end so (`fail`, `killed`).
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
elif what in ("itself", "child", "code", "signal"):
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
print("done", flush=True)
