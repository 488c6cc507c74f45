"""Work on the GPU by the driver alone (cuda-bindings), with numbers that can be checked: no runtime library
comes into the process, so that only the driver's own state is at stake.
"""

import ctypes

from cuda.bindings import driver

# One int a thread, one more each launch.
KERNEL = b"""
.version 7.0
.target sm_75
.address_size 64
.visible .entry addone(.param .u64 numbers)
{
    .reg .b64 %address<3>;
    .reg .b32 %index<4>, %value;
    ld.param.u64 %address0, [numbers];
    cvta.to.global.u64 %address0, %address0;
    mov.u32 %index0, %ctaid.x;
    mov.u32 %index1, %ntid.x;
    mov.u32 %index2, %tid.x;
    mad.lo.u32 %index3, %index0, %index1, %index2;
    mul.wide.u32 %address1, %index3, 4;
    add.u64 %address2, %address0, %address1;
    ld.global.u32 %value, [%address2];
    add.u32 %value, %value, 1;
    st.global.u32 [%address2], %value;
    ret;
}
\0"""
BLOCKS, THREADS = 16, 64
COUNT = BLOCKS * THREADS
Numbers = ctypes.c_int * COUNT


def done(answer):
    """The value of a call that must succeed."""
    code, *values = answer
    if int(code):
        raise RuntimeError(code.name)
    return values[0] if values else None


def start():
    """cuInit, as a program calls it that cannot know whether it was called before."""
    done(driver.cuInit(0))


def devices():
    start()
    return done(driver.cuDeviceGetCount())


def free_memory():
    """Bytes, of the whole GPU."""
    code, free, _ = driver.cuMemGetInfo()
    done((code,))
    return free


class Work:
    """A context, numbers in GPU memory, and the kernel that counts them up."""

    def __init__(self, image=KERNEL):
        start()
        device = done(driver.cuDeviceGet(0))
        done(driver.cuCtxSetCurrent(done(driver.cuDevicePrimaryCtxRetain(device))))
        module = done(driver.cuModuleLoadData(image))
        self.kernel = done(driver.cuModuleGetFunction(module, b"addone"))
        self.memory = done(driver.cuMemAlloc(ctypes.sizeof(Numbers)))
        self.launched = 0
        numbers = Numbers(*range(COUNT))
        done(driver.cuMemcpyHtoD(self.memory, ctypes.addressof(numbers), ctypes.sizeof(numbers)))

    def run(self, times):
        """Launches the kernel so often, and says whether every number is what it must be now."""
        pointer = ctypes.c_uint64(int(self.memory))
        parameters = (ctypes.c_void_p * 1)(ctypes.addressof(pointer))
        for _ in range(times):
            done(driver.cuLaunchKernel(self.kernel, BLOCKS, 1, 1, THREADS, 1, 1, 0, 0,
                                       ctypes.addressof(parameters), 0))
        self.launched += times
        done(driver.cuCtxSynchronize())
        numbers = Numbers()
        done(driver.cuMemcpyDtoH(ctypes.addressof(numbers), self.memory, ctypes.sizeof(numbers)))
        right = all(number == place + self.launched for place, number in enumerate(numbers))
        return "right" if right else f"wrong: {numbers[0]}, {numbers[1]}, ... {numbers[-1]}"


def attempt_work(times=10):
    """The answer of a process that starts from nothing."""
    return f"{devices()} device, {Work().run(times)}"
