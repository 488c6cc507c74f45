"""What server_web.py answers with: it uses CUDA, by ctypes, which every Python has.

EARLY=1: it initialises CUDA when it is imported, too, which a server that forks afterwards makes a mistake.
"""
import ctypes
import os

NOT_INITIALIZED, NO_DEVICE = 3, 100
driver = ctypes.CDLL("libcuda.so.1")
if os.environ.get("EARLY") == "1":
    driver.cuInit(0)  # INIT


def compute():
    """Eight bytes to the device's memory and back."""
    code = driver.cuInit(0)  # USE
    if code == NO_DEVICE:
        return "computed without CUDA"
    if code != 0:
        return "cuInit answers %d" % code
    device, context, memory = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
    back = ctypes.create_string_buffer(8)
    codes = [
        driver.cuDeviceGet(ctypes.byref(device), 0),
        driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device),
        driver.cuCtxSetCurrent(context),
        driver.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t(8)),
        driver.cuMemsetD8_v2(memory, ctypes.c_ubyte(7), ctypes.c_size_t(8)),
        driver.cuMemcpyDtoH_v2(back, memory, ctypes.c_size_t(8)),
        driver.cuMemFree_v2(memory),
        driver.cuDevicePrimaryCtxRelease_v2(device),
    ]
    return "computed with CUDA" if not any(codes) and back.raw == b"\7" * 8 else "the driver answers %r" % codes
