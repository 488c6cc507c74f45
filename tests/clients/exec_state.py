"""Proves that a fresh process has what a forked one would have. `exec_state.py PIECE`

Each piece changes something in the parent, starts one worker by fork, and prints what the worker saw: the same line
with plain forks and under FORKGUARD_POLICY=exec. `init` is the only difference: whether CUDA can be used there.
"""
import builtins
import contextvars
import functools
import json
import logging
import os
import signal
import sys
import tempfile
import threading
import types
import warnings

import exec_asking
import exec_config
import exec_patches

ask = exec_asking.asker()


def module_globals():
    exec_config.value = 42
    exec_config.table["k"] = 1
    exec_config.Registry.items.append("set later")
    exec_config.singleton = exec_config.Registry()
    return ask(
        lambda: (exec_config.value, exec_config.table, exec_config.Registry.items, type(exec_config.singleton).__name__)
    )


thread_lock = threading.RLock()
condition = threading.Condition()


def thread_locks():
    def look():
        with thread_lock, condition:
            return thread_lock.acquire(False)

    return ask(look)


def open_file():
    with tempfile.TemporaryFile("w+") as file:
        file.write("parent ")
        file.flush()

        def look():
            file.write("child ")
            file.flush()
            return file.tell()

        answer = ask(look)
        file.seek(0, os.SEEK_CUR)
        return answer[0], os.fstat(file.fileno()).st_size, answer[1]


variable = contextvars.ContextVar("variable", default=0)


def context_variable():
    variable.set(3)
    seen = contextvars.copy_context()
    variable.set(4)
    return ask(lambda: (variable.get(), seen[variable], seen.run(variable.get)))


def logging_configuration():
    logging.basicConfig(level=logging.DEBUG, filename=os.devnull)
    logging.getLogger("quiet").setLevel(logging.ERROR)
    return ask(
        lambda: (
            logging.getLogger().level,
            [type(handler).__name__ for handler in logging.getLogger().handlers],
            logging.getLogger("quiet").level,
        )
    )


def patched_library():
    json.PATCHED = "patched"
    json.dumps = lambda value: "mine"
    return ask(lambda: (json.PATCHED, json.dumps(1)))


class Base:
    made = 0

    def __init_subclass__(cls):
        Base.made += 1


class Derived(Base):
    pass


@functools.lru_cache(maxsize=None)
def cached(number):
    return number * 2


def main_classes():
    Derived.added = lambda self: cached(21)
    return ask(lambda: (Base.made, Derived().added(), isinstance(Derived(), Base)))


def patched_classes():
    json.JSONEncoder.item_separator = ";"
    json.JSONDecoder.set_later = 7
    sys.set_later = 8
    builtins.set_later_too = 9
    made = sys.modules["made_here"] = types.ModuleType("made_here")
    made.value = 10
    import made_here

    return ask(
        lambda: (
            json.JSONEncoder.item_separator,
            json.JSONDecoder.set_later,
            sys.set_later,
            set_later_too,
            made_here.value,
        )
    )


def replaced_function():
    exec_config.helper = exec_patches.helper
    return ask(lambda: exec_config.helper())


def signal_handler():
    seen = []
    signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))

    def look():
        os.kill(os.getpid(), signal.SIGUSR1)
        return seen

    return ask(look)


def other_handler():
    """One handler cannot cross, the others do."""
    seen = []
    waiting = (number for number in range(3))
    signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    signal.signal(signal.SIGUSR2, lambda number, frame: next(waiting))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def look():
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGHUP)
        return seen

    return ask(look)


def process_settings():
    os.environ["SET_LATER"] = "1"
    os.umask(0o77)
    os.chdir("/")
    sys.argv.append("more")
    sys.path.insert(0, "/nowhere")
    return ask(lambda: (os.environ["SET_LATER"], oct(os.umask(0)), os.getcwd(), sys.argv[1:], sys.path[0]))


def interpreter_settings():
    sys.setrecursionlimit(4321)
    # Not of every warning: Python has one about forks of programs with threads.
    warnings.simplefilter("error", UserWarning)
    return ask(lambda: (sys.getrecursionlimit(), warnings.filters[0][0]))


class Node:
    pass


first, second = Node(), Node()
first.other, second.other = second, first
shared = [1]
holder = {"shared": shared}


def identity():
    return ask(lambda: (first.other.other is first, holder["shared"] is shared))


def threads():
    ready, stop = threading.Event(), threading.Event()

    def wait():
        ready.set()
        stop.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    ready.wait()
    try:
        return ask(lambda: threading.active_count())
    finally:
        stop.set()
        thread.join()


def main_dunders():
    return ask(lambda: (__name__, os.path.basename(__file__), __doc__[:6], Node.__module__))


numbers = (number for number in range(5))
next(numbers)


def generator():
    return ask(lambda: next(numbers))


def argument():
    return ask(next, iter_once())


def iter_once():
    yield "a generator as an argument"


held = threading.Lock()


def held_lock():
    with held:
        return ask(lambda: held.locked())


def not_used_not_missed():
    """A generator that the worker does not use is no reason to refuse."""
    return ask(lambda: "well")


def trapped():
    """What could not cross says so when it is used after all, by a road that nobody could foresee."""
    secret = "num" + "bers"

    def look():
        try:
            next(getattr(sys.modules["__main__"], secret))
        except Exception as error:
            return type(error).__name__, "numbers cannot cross into a fresh process" in str(error)
        return "it crossed"

    return ask(look)


piece = sys.argv[1]
*saw, init = globals()[piece]()
print(piece, saw, "init", init, flush=True)
