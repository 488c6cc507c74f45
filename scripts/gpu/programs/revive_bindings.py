"""cuda-bindings: the child of a parent that has CUDA counts the devices and runs a kernel. `... PARENT CHILD`

PARENT: `init` (only cuInit), `queries` (the devices' names and attributes, no context), or `context` (a
kernel on memory of its own). CHILD: `ptx`, or `nvrtc`, which compiles the kernel there.
Today every call in the child answers CUDA_ERROR_NOT_INITIALIZED. Revived it works after `init` and
`queries`; after `context` only where FORKGUARD_REVIVE says that the parent's handles are not used.
"""

import os
import sys

import driver_work
from cuda.bindings import driver
from driver_work import Work, done
from outcome import attempt, await_pid, say

PARENT, CHILD = sys.argv[1:]
SOURCE = b'extern "C" __global__ void addone(int *numbers) { numbers[blockIdx.x * blockDim.x + threadIdx.x]++; }'


def prepare():
    driver_work.start()
    if PARENT == "queries":
        device = done(driver.cuDeviceGet(0))
        done(driver.cuDeviceGetName(64, device))
        done(driver.cuDeviceGetAttribute(driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_WARP_SIZE, device))
        done(driver.cuDeviceTotalMem(device))
    return Work() if PARENT == "context" else None


def compiled():
    """PTX of the kernel by the runtime compiler, for this GPU."""
    from cuda.bindings import nvrtc

    device = done(driver.cuDeviceGet(0))
    version = "".join(str(done(driver.cuDeviceGetAttribute(getattr(
        driver.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_{part}"), device)))
        for part in ("MAJOR", "MINOR"))
    program = done(nvrtc.nvrtcCreateProgram(SOURCE, b"addone.cu", 0, [], []))
    done(nvrtc.nvrtcCompileProgram(program, 1, [f"--gpu-architecture=compute_{version}".encode()]))
    image = b" " * done(nvrtc.nvrtcGetPTXSize(program))
    done(nvrtc.nvrtcGetPTX(program, image))
    return image


def child():
    count = driver_work.devices()
    work = Work(compiled()) if CHILD == "nvrtc" else Work()
    return f"{count} device, {work.run(10)}"


def main():
    work = prepare()
    say(f"parent: {work.run(10) if work else driver_work.devices()}")
    pid = os.fork()  # FORK
    if pid == 0:
        say(f"child: {attempt(child)}")
        os._exit(0)
    await_pid(pid)
    say(f"parent goes on: {attempt(lambda: (work or Work()).run(10))}")


main()
