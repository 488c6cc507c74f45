"""What Python code finds in a forked child in which CUDA is absent, whatever made the child. `cpu_python.py HOW`."""
import ctypes
import importlib.abc
import importlib.util
import multiprocessing
import os
import sys
import threading
import types

NAME = "CUDA_VISIBLE_DEVICES"
before = os.environ
driver = ctypes.CDLL("libcuda.so.1")


def look(who):
    started = os.popen("echo \"${%s-unset}\"" % NAME).read().strip()
    shown = os.environ.get(NAME, "unset"), dict(os.environ).get(NAME, "unset"), os.getenvb(NAME.encode(), b"unset")
    print(who, *shown, "starts with", repr(started), "driver", driver.cuInit(0), flush=True)


def forked(work):
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(7)
    return os.WEXITSTATUS(os.waitpid(pid, 0)[1])


def multiprocessings(work):
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
    return process.exitcode


def in_thread(function):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(function()))
    thread.start()
    thread.join()
    return answers[0]


def child():
    look("child")


def mother():
    look("mother")
    print("exit", forked(child), flush=True)


def cached():
    print("cupy says", sys.modules["cupy"].cuda._available, flush=True)


def replaced():
    print("cupy says", sys.modules["cupy"].cuda._available, "and", os.environ.get(NAME, "unset"), flush=True)
    print("before", before.get(NAME, "unset"), "driver", driver.cuInit(0), flush=True)


class Raising:
    def __getattribute__(self, name):
        raise KeyError(name)


class Lazy(importlib.abc.Loader):
    def exec_module(self, module):
        print("imported", flush=True)


def lazy(name):
    """A module that is imported when one of its attributes is asked for."""
    loader = importlib.util.LazyLoader(Lazy())
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


class Frozen(dict):
    def __setitem__(self, name, value):
        raise TypeError("not to be changed")


def broken():
    print("went on", flush=True)


def main(how):
    if how in ("cached", "dict", "frozen"):
        sys.modules["cupy"] = cupy = types.ModuleType("cupy")
        cupy.cuda = sys.modules["cupy.cuda"] = types.ModuleType("cupy.cuda")
        cupy.cuda._available = True
    if how in ("dict", "frozen"):
        os.environ = {"dict": dict, "frozen": Frozen}[how](PATH="/bin")
    if how == "odd":
        sys.modules["onnxruntime"], sys.modules["cupy"] = Raising(), lazy("cupy")
    if how == "broken":
        class Broken(types.ModuleType):
            def __getattr__(self, name):
                raise KeyError(name)
        sys.modules["onnxruntime"] = Broken("onnxruntime")
    if how == "c-init":
        # Without the GIL: the handler cannot be registered right there.
        print("parent", driver.cuInit(0), flush=True)
    else:
        print("parent", ctypes.PyDLL("libcuda.so.1").cuInit(0), flush=True)
    print("exit", {
        "os.fork": lambda: forked(child),
        "process": lambda: multiprocessings(child),
        "thread": lambda: in_thread(lambda: forked(child)),
        "c-init": lambda: in_thread(lambda: forked(child)),
        "grandchild": lambda: forked(mother),
        "cached": lambda: forked(cached),
        "odd": lambda: forked(child),
        "dict": lambda: forked(replaced),
        "frozen": lambda: forked(replaced),
        "broken": lambda: forked(broken),
    }[how](), flush=True)
    print("parent has", os.environ.get(NAME, "unset"), driver.cuInit(0), flush=True)


main(sys.argv[1])
