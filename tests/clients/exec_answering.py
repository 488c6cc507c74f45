"""Proves that objects whose class answers for names it does not have are, in a worker, what they are in the parent.

Pickle's own questions to a half-made object (`__setstate__`) reach such a class's `__getattr__`, which goes round for
ever, answers something of another object, or None.
"""
import ctypes
import multiprocessing

driver = ctypes.CDLL("libcuda.so.1")
assert driver.cuInit(0) == 0


class State:
    """As starlette's: what is asked for is in a dict that a half-made object does not have."""

    def __init__(self, **values):
        super().__setattr__("_values", values)

    def __getattr__(self, name):
        return self._values[name]

    def __setattr__(self, name, value):
        raise TypeError("not to be set")


class Answers(dict):
    """A dict of attributes, which answers None to what it has not."""

    __getattr__ = dict.get

    def __setitem__(self, name, value):
        raise TypeError("not to be set")


class Proxy:
    def __init__(self, target):
        self.target = target

    def __getattr__(self, name):
        return getattr(self.target, name)


class Numbers(list):
    __slots__ = ("first", "unset", "__dict__")

    def __getattr__(self, name):
        return getattr(self.first, name)


state = State(a=1)
answers = Answers(b=2)
answers.state = state
proxy = Proxy([7, 7, 8])
proxy.me = proxy
numbers = Numbers([1, 2])
numbers.first = 5
numbers.proxy = proxy


def work(given):
    assert driver.cuInit(0) == 0
    assert given.a == 1 and answers.state is given
    assert answers == {"b": 2} and answers.b == 2 and answers.nothing is None
    assert proxy.me is proxy and proxy.count(7) == 2
    assert numbers == [1, 2] and numbers.first == 5 and numbers.proxy is proxy and numbers.bit_length() == 3
    print("answering ok", flush=True)


process = multiprocessing.get_context("fork").Process(target=work, args=(state,))
process.start()
process.join()
assert process.exitcode == 0
