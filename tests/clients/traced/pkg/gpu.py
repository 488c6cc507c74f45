# The third: it initialises CUDA when it is imported.
import ctypes

cuda = ctypes.CDLL("libcuda.so.1")


def ask():
    return cuda.cuInit(0)


def make_context():
    return cuda.cuDevicePrimaryCtxRetain(ctypes.byref(ctypes.c_void_p()), 0)


ask()
