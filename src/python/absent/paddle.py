"""Paddle where CUDA is absent: as after `paddle.device.set_device("cpu")`, and no GPU is counted. Whether it was built
with CUDA it says as before."""
import re
import sys

from _forkguard_absent import frameworks

# To 2.4, and from 2.5 on.
BASES = ("paddle.fluid", "paddle.base")
LIBRARIES = ("core", "core_avx", "core_noavx", "libpaddle")
GPU = re.compile(r"(gpu|cuda|dcu)(:\d+)?")


def absent(paddle):
    for base in BASES:
        core, framework = sys.modules.get(base + ".core"), sys.modules.get(base + ".framework")
        if hasattr(core, "is_compiled_with_cuda") and core.is_compiled_with_cuda():
            for module in (sys.modules.get("%s.%s" % (base, name)) for name in LIBRARIES):
                if hasattr(module, "get_cuda_device_count"):
                    module.get_cuda_device_count = _no_device
            if hasattr(framework, "_set_expected_place"):
                framework._set_expected_place(core.CPUPlace())
            _ask_for_cpu(getattr(paddle, "device", None), core)


def _no_device():
    return 0


def _ask_for_cpu(device, core):
    """What every name of a device goes through."""
    true = getattr(device, "_convert_to_place", None)
    if true is None or getattr(true, "__module__", None) == __name__:
        return

    def _convert_to_place(device):
        asked = device.lower() if isinstance(device, str) else ""
        if GPU.fullmatch(asked) or isinstance(device, core.CUDAPlace):
            frameworks.notice("CUDA is absent in this forked process: Paddle uses the CPU where it is asked for a GPU")
            return core.CPUPlace()
        return true(device)

    # The module may stand behind another one that passes its names on.
    true.__globals__["_convert_to_place"] = _convert_to_place
    device._convert_to_place = _convert_to_place
