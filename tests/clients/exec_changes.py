"""Proves that what the program changed in libraries, in the interpreter and in its own modules' functions is so in a
fresh process. `exec_changes.py PIECE`

Each piece changes something, starts one worker by fork, and prints what the worker saw: the same line with plain forks
and under FORKGUARD_POLICY=exec. `init` is the only difference: whether CUDA can be used there.
"""
import collections
import collections.abc
import copyreg
import ctypes
import dataclasses
import enum
import faulthandler
import functools
import json
import logging
import mimetypes
import os
import pickle
import random
import string
import sys
import threading
import time
import typing
import warnings
import weakref

import exec_asking
import exec_kept
from exec_kept import MISSING, table

ask = exec_asking.asker()


def default(self, value):
    return "mine"


def not_named_by_the_worker():
    """The worker's code calls json.dumps only."""
    json.JSONEncoder.default = default
    json.encoder.INFINITY = 1.0
    return ask(lambda: (json.dumps(object()), json.dumps(1.0)))


def containers_of_libraries():
    mimetypes.types_map[".mine"] = "mine/mine"
    string.digits += "A"
    setattr(string, "named", 5)
    return ask(lambda: (mimetypes.types_map[".mine"], mimetypes.guess_type("a.mine"), string.digits, string.named))


def closures_and_defaults():
    exec_kept.increase()
    exec_kept.remember(1)
    exec_kept.Kept().method(1)
    exec_kept.tagged()
    return ask(lambda: (exec_kept.increase(), exec_kept.remember(2), exec_kept.Kept().method(2), exec_kept.tagged()))


def one_and_the_same():
    """A container and a sentinel by several names."""
    table["set"] = 1
    return ask(
        lambda: (
            exec_kept.look_up("set"),
            exec_kept.look_up("other"),
            exec_kept.look_up("other", MISSING),
            MISSING is exec_kept.MISSING,
            table is exec_kept.table,
        )
    )


def hooks():
    sys.excepthook = default
    threading.excepthook = default
    warnings.showwarning = lambda message, *rest: seen.append(str(message))
    seen = []

    def look():
        warnings.warn("heard", stacklevel=1)
        return sys.excepthook is default, threading.excepthook is default, seen

    return ask(look)


def logging_of_warnings():
    logging.captureWarnings(True)
    return ask(lambda: warnings.showwarning.__module__)


def streams():
    sys.stdout.reconfigure(line_buffering=True, errors="replace")
    faulthandler.enable()
    return ask(lambda: (sys.stdout.line_buffering, sys.stdout.errors, faulthandler.is_enabled()))


def fork_hooks():
    os.register_at_fork(after_in_child=lambda: exec_kept.forked.append("main"))
    return ask(lambda: exec_kept.forked)


generator = random.Random(5)


def random_state():
    """`random` itself is seeded anew in every forked child; a generator of one's own is copied."""
    random.seed(5)
    first = random.Random(5).random()
    return ask(lambda: (random.random() == first, generator.random()))


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Point:
    x: int
    y: typing.List[int] = dataclasses.field(default_factory=list)


Pair = collections.namedtuple("Pair", "one two")
colour, point, pair = Colour.RED, Point(1, [2]), Pair(1, 2)
counted = collections.Counter("aab")
ordered = collections.OrderedDict(b=1, a=2)
grouped = collections.defaultdict(list, {"k": [1]})
weak = weakref.ref(point)


@functools.singledispatch
def kind(value):
    return "any"


@kind.register(int)
def _(value):
    return "int"


class Meta(type):
    def __call__(cls, *arguments):
        return super().__call__(*arguments)


class Slotted(metaclass=Meta):
    __slots__ = ("value", "__weakref__")

    def __init__(self, value):
        self.value = value


slotted = Slotted(point)


def kinds_of_classes():
    return ask(
        lambda: (
            colour is Colour.RED,
            point == Point(1, [2]),
            pair.two,
            counted["a"],
            list(ordered),
            grouped["new"],
            weak() is point,
            kind(1) + kind("text"),
            slotted.value is point,
            isinstance(slotted, Slotted),
            typing.get_type_hints(Point)["x"],
        )
    )


def arguments_of_the_interpreter():
    return ask(lambda: (sys.flags.utf8_mode, sys.flags.dev_mode, sys.warnoptions, sys.dont_write_bytecode))


def replaced_functions():
    exec_kept.plain = exec_kept.tagged
    exec_kept.other = json.dumps
    exec_kept.Kept.shown = property(lambda self: "mine")
    exec_kept.Kept.made = staticmethod(default)
    exec_kept.Kept.method = exec_kept.remember
    kept = exec_kept.Kept()
    return ask(lambda: (exec_kept.plain(), exec_kept.other([1]), kept.shown, kept.made(1, 2), len(kept.method())))


class Virtual:
    pass


class Told:
    def __init__(self, value):
        self.value = value


def built_in_functions():
    """Kept by the program, which has put its own in their place."""
    clock, listing = time.time, os.listdir
    time.time = lambda: min(clock(), 0)
    os.listdir = lambda path=".": ["instead of", *listing("/proc/self/task")[:0]]
    return ask(lambda: (time.time(), os.listdir(), clock() > 0))


def registrations():
    collections.abc.Sequence.register(Virtual)
    copyreg.pickle(Told, lambda told: (Told, (told.value * 10,)))
    return ask(lambda: (isinstance(Virtual(), collections.abc.Sequence), pickle.loads(pickle.dumps(Told(1))).value))


written = bytearray(b"abc")
view = memoryview(written)
numbers = (ctypes.c_int * 3)(1, 2, 3)


def views_of_memory():
    def look():
        view[0] = ord("x")
        return written, list(numbers), type(numbers) is ctypes.c_int * 3

    return ask(look)


def hashes_of_texts():
    """Where no seed is given, each interpreter has another; a fork has its parent's."""
    mine = hash("text"), list(set(map(str, range(50))))

    def look():
        theirs = hash("text"), list(set(map(str, range(50))))
        return theirs == mine, "FORKGUARD_HASH_SECRET" in os.environ

    again = ask(lambda: ask(look))
    return [ask(look)[0] for _ in range(4)], again[0][0], again[1]


piece = sys.argv[1]
*saw, init = globals()[piece]()
print(piece, saw, "init", init, flush=True)
