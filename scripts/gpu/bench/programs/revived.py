"""`revived.py PARENT CHILDREN`: a parent that called cuInit (`init`), or has a context (`context`), and children, one
after the other, that call cuInit. What each took is in the guard's events. Today the children's calls fail.
"""

import ctypes
import os
import sys

cuda = ctypes.CDLL("libcuda.so.1")


def must(answer, what):
    assert answer == 0, f"{what} answers {answer}"


must(cuda.cuInit(0), "cuInit")
if sys.argv[1] == "context":
    device, context = ctypes.c_int(), ctypes.c_void_p()
    must(cuda.cuDeviceGet(ctypes.byref(device), 0), "cuDeviceGet")
    must(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device), "cuDevicePrimaryCtxRetain")
    must(cuda.cuCtxSetCurrent(context), "cuCtxSetCurrent")
for _ in range(int(sys.argv[2])):
    child = os.fork()
    if child == 0:
        os._exit(cuda.cuInit(0))
    _, status = os.waitpid(child, 0)
    must(os.waitstatus_to_exitcode(status), "cuInit in a child")
