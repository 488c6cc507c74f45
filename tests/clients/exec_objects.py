"""Proves that objects which pickle cannot carry, or makes again wrongly, are in a fresh process what they are after a
fork. `exec_objects.py PIECE`

Each piece starts one worker by fork and prints what it saw: the same line with plain forks and under
FORKGUARD_POLICY=exec. `init` is the only difference: whether CUDA can be used there.
"""
import multiprocessing.util
import sys
import threading
import weakref
import xml.dom.minidom

import exec_asking

ask = exec_asking.asker()


class Thing:
    pass


class Anything:
    """Answers every name from a table of its own, and has none before it is made."""

    def __init__(self):
        self.table = {"name": "from the table"}

    def __getattr__(self, name):
        try:
            return self.table[name]
        except KeyError:
            raise AttributeError(name) from None


kept, lost = Thing(), Thing()
reference, dead, proxy = weakref.ref(kept), weakref.ref(lost), weakref.proxy(kept)
both = weakref.WeakSet([kept])
by_name = weakref.WeakValueDictionary(kept=kept)
named = weakref.WeakKeyDictionary({kept: "a name"})
kept.name = "kept"
del lost


def weak_references():
    return ask(
        lambda: (reference() is kept, dead(), proxy.name, list(both) == [kept], by_name["kept"] is kept, named[kept])
    )


anything = Anything()


def answers_any_name():
    return ask(lambda: (anything.name, hasattr(anything, "other")))


def submodule_of_an_import():
    """`import xml.dom.minidom` is the name `xml` here."""
    return ask(lambda: xml.dom.minidom.parseString("<a>text</a>").documentElement.firstChild.data)


of_spawn = multiprocessing.get_context("spawn").Lock()


def lock_of_another_context():
    """Held by the parent, it is held in the worker."""
    with of_spawn:
        held = ask(lambda: of_spawn.acquire(False))
    return held, ask(lambda: of_spawn.acquire(False))


called = []
finalizer = multiprocessing.util.Finalize(kept, called.append, (1,))


def inherited_finalizer():
    def look():
        finalizer()
        return called, finalizer.still_active()

    return ask(look), finalizer.still_active()


to_start, ended = threading.Thread(target=called.append, args=(2,)), threading.Thread(target=called.append, args=(3,))


def threads_that_do_not_run():
    ended.start()
    ended.join()
    # In a forked child these cannot be started, python/cpython#134381.
    starts = not (3, 13) <= sys.version_info < (3, 13, 4)

    def look():
        if starts:
            to_start.start()
            to_start.join()
        ended.join()
        return called, to_start.is_alive(), ended.is_alive()

    return ask(look)


piece = sys.argv[1]
print(piece, globals()[piece](), flush=True)
