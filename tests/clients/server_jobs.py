"""The work of a queue's workers, Celery's or RQ's: it uses CUDA by cuda-bindings. EARLY=1: so does importing it, which
is a mistake where a worker imports it before it forks.
"""
import os

from cuda.bindings import driver

if os.environ.get("EARLY") == "1":
    driver.cuInit(0)  # INIT


def must(answer):
    code, *values = answer
    if int(code) != 0:
        raise RuntimeError(code.name)
    return values[0] if values else None


def plain(number):
    return number * number


def compute(number):
    """Eight bytes to the device's memory and back, and their sum."""
    (code,) = driver.cuInit(0)  # USE
    if code == driver.CUresult.CUDA_ERROR_NO_DEVICE:
        return "%d without CUDA" % (8 * number)
    must((code,))
    device = must(driver.cuDeviceGet(0))
    must(driver.cuCtxSetCurrent(must(driver.cuDevicePrimaryCtxRetain(device))))
    memory = must(driver.cuMemAlloc(8))
    must(driver.cuMemsetD8(memory, number, 8))
    back = bytearray(8)
    must(driver.cuMemcpyDtoH(back, memory, 8))
    must(driver.cuMemFree(memory))
    must(driver.cuDevicePrimaryCtxRelease(device))
    return "%d with CUDA" % sum(back)
