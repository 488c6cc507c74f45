"""A module of the program's, for exec_changes.py: what its functions keep beside their code."""
import os

MISSING = object()
table = {}
forked = []


def counter():
    count = 0

    def increase():
        nonlocal count
        count += 1
        return count

    return increase


increase = counter()
increase.__qualname__ = "increase"


def remember(item, known=[]):
    known.append(item)
    return list(known)


def look_up(name, default=MISSING, where=table):
    return where.get(name, "missing" if default is MISSING else default)


def tagged():
    tagged.calls += 1
    return tagged.calls


tagged.calls = 0


def plain():
    return "plain"


def other(value):
    return "other"


class Kept:
    @property
    def shown(self):
        return "shown"

    @staticmethod
    def made(one, two):
        return "made"

    def method(self, item, known=[]):
        known.append(item)
        return list(known)


os.register_at_fork(after_in_child=lambda: forked.append("kept"))
