"""The little that the demo needs of CUDA, by ctypes: any Python can run it, nothing is to be installed."""

import ctypes

_driver = ctypes.CDLL("libcuda.so.1")


def _check(result, what):
    if result != 0:
        name = ctypes.c_char_p()
        _driver.cuGetErrorName(result, ctypes.byref(name))
        raise RuntimeError(f"{what} answered {(name.value or b'an unknown error').decode()}")


def is_available():
    """Only a question; but the driver is initialised to answer it."""
    count = ctypes.c_int()
    return _driver.cuInit(0) == 0 and _driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0


def through_the_gpu(data):
    """Writes `data` into the GPU's memory and reads it back."""
    _check(_driver.cuInit(0), "cuInit")
    context = ctypes.c_void_p()
    _check(_driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0), "cuDevicePrimaryCtxRetain")
    _check(_driver.cuCtxSetCurrent(context), "cuCtxSetCurrent")
    memory = ctypes.c_uint64()
    _check(_driver.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t(len(data))), "cuMemAlloc")
    back = ctypes.create_string_buffer(len(data))
    _check(_driver.cuMemcpyHtoD_v2(memory, data, ctypes.c_size_t(len(data))), "cuMemcpyHtoD")
    _check(_driver.cuMemcpyDtoH_v2(back, memory, ctypes.c_size_t(len(data))), "cuMemcpyDtoH")
    _check(_driver.cuMemFree_v2(memory), "cuMemFree")
    _check(_driver.cuDevicePrimaryCtxRelease_v2(0), "cuDevicePrimaryCtxRelease")
    return back.raw
