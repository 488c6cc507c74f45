"""Proves that what `functools.lru_cache` remembers in the parent is remembered in a fresh process, as after a fork.

Prints what a worker sees: the same lines with plain forks and under FORKGUARD_POLICY=exec, but for the last number,
which is what the driver answers there.
"""
import ctypes
import functools
import multiprocessing
import uuid

import exec_config

context = multiprocessing.get_context("fork")
driver = ctypes.CDLL("libcuda.so.1")
assert driver.cuInit(0) == 0
calls = []


@functools.lru_cache()
def run_name():
    return uuid.uuid4().hex


@functools.lru_cache(maxsize=2, typed=True)
def typed(a, b=1, *, c=2):
    calls.append((a, b, c))
    return [a, b, c]


@functools.lru_cache(None)
def settings(*names, **named):
    return {}


@functools.lru_cache(None)
def cannot_cross():
    return (number for number in range(3))


class Key:
    @functools.lru_cache(8)
    def method(self, x):
        calls.append(x)
        return self

    @classmethod
    @functools.lru_cache(None)
    def of_class(cls):
        return []


key = Key()
key.method(1)
Key.of_class().append("added")
settings()["changed"] = 1
settings(("a", 1), b=key)["changed"] = 2
exec_config.remembered("x")["changed"] = 3
typed("dropped")
typed(1)
typed(1.0, c=3)
name = run_name()
next(cannot_cross())


def work():
    calls.clear()
    print(run_name() == name, settings(), settings(("a", 1), b=key), exec_config.remembered("x"))
    print(typed(1.0, c=3), typed(1), calls, typed.cache_info().currsize, typed("dropped"), len(calls))
    print(key.method(1) is key, Key.of_class(), calls)
    print(next(cannot_cross()) in (0, 1), driver.cuInit(0), flush=True)


worker = context.Process(target=work)
worker.start()
worker.join(60)
assert worker.exitcode == 0, worker.exitcode
