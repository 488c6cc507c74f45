"""PyTorch's refusal in a forked child, with a stand-in for what decides it: `_lazy_init` asks a built-in function whether
this is a fork, and raises before any driver call. Arguments: who forks, `python` or `c`, which is C code without the GIL
and without a word to the interpreter, as uWSGI is.
"""
import ctypes
import os
import sys
import types


class MethodDef(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


METH_NOARGS = 4
parent = os.getpid()


@ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_void_p)
def is_in_bad_fork(_module, _nothing):
    return os.getpid() != parent


definition = MethodDef(b"_cuda_isInBadFork", ctypes.cast(is_in_bad_fork, ctypes.c_void_p), METH_NOARGS, None)
new_function = ctypes.pythonapi.PyCFunction_NewEx
new_function.restype = ctypes.py_object
new_function.argtypes = [ctypes.POINTER(MethodDef), ctypes.c_void_p, ctypes.c_void_p]
torch_c = sys.modules["torch._C"] = types.ModuleType("torch._C")
torch_c._cuda_isInBadFork = new_function(ctypes.byref(definition), None, None)


def _lazy_init():
    if torch_c._cuda_isInBadFork():  # USE
        raise RuntimeError("Cannot re-initialize CUDA in forked subprocess")


def use():
    try:
        _lazy_init()
    except RuntimeError as error:
        print(error, flush=True)


use()
assert ctypes.CDLL("libcuda.so.1").cuInit(0) == 0  # INIT
pid = ctypes.CDLL(None).fork() if sys.argv[1] == "c" else os.fork()  # FORK
if pid == 0:
    use()
    os._exit(0)
print("ended", os.WTERMSIG(os.waitpid(pid, 0)[1]))
