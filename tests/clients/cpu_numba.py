"""Proves that numba.cuda says why there is no CUDA in a forked child in which it is absent, with the real numba-cuda.

The parent has an array on the (stand-in) GPU and has called what it takes to get it there. The child asks whether CUDA
is there, which is no error; whatever needs it raises CudaSupportError, where numba alone says "CUDA initialized before
forking". The parent's array goes out of scope there in silence. With the argument `c` it is C code that forks, with the
GIL and without a word to the interpreter, as uWSGI does.
"""
import ctypes
import os
import sys

import numpy
from numba import cuda
from numba.cuda.cudadrv.error import CudaSupportError


def say(*what):
    print(*what, flush=True)


def attempt(what, work):
    try:
        say(what, work())
    except CudaSupportError as error:
        known = "CUDA is absent in this forked process" in str(error) and f"(pid {os.getppid()})" in str(error)
        say(what, "refused" if known else error)


array = cuda.to_device(numpy.arange(4))
say("parent", array.copy_to_host())
pid = ctypes.PyDLL(None).fork() if sys.argv[1:] == ["c"] else os.fork()
if pid == 0:
    say("available", cuda.is_available())
    attempt("copy", array.copy_to_host)
    attempt("put", lambda: cuda.to_device(numpy.arange(4)))
    attempt("detect", cuda.detect)
    attempt("list", lambda: list(cuda.gpus))
    attempt("synchronize", cuda.synchronize)
    del array
    sys.exit(0)
say("ended", os.waitpid(pid, 0)[1])
say("parent", array.copy_to_host())
