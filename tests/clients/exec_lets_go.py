"""Proves that starting a fresh process keeps none of the program's objects: with the garbage collector off, a process
object and its target are gone as soon as the program lets go of them, whether everything crossed, something was left
behind, or the fork was refused. Prints what is left after each.
"""
import ctypes
import gc
import multiprocessing
import weakref

context = multiprocessing.get_context("fork")
assert ctypes.CDLL("libcuda.so.1").cuInit(0) == 0


class Target:
    def __call__(self, connection):
        connection.send(1)


class NeedsTheGenerator(Target):
    def __call__(self, connection):
        connection.send(next(generator))


def left_of(cls):
    ours, theirs = context.Pipe()
    target = cls()
    process = context.Process(target=target, args=(theirs,))
    watched = weakref.ref(target), weakref.ref(process)
    del target
    process.start()
    assert ours.recv() == 1
    process.join()
    del process
    return [reference() for reference in watched if reference() is not None]


# The first start imports modules, which leave garbage of their own.
left_of(Target)
gc.collect()
gc.disable()
print("crossed", left_of(Target))
# Cannot be pickled, and is not used.
generator = (number for number in [1])
print("left behind", left_of(Target))
print("refused", left_of(NeedsTheGenerator))
gc.set_debug(gc.DEBUG_SAVEALL)
gc.collect()
print("garbage", gc.garbage)
