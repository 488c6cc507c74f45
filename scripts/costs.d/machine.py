"""The machine that figures are of, in words that mean something elsewhere."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path


def described(python=sys.executable):
    """What a reader has to know to compare the figures with another machine's."""
    told = {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "virtual": "hypervisor" in _first("/proc/cpuinfo", r"flags\s*:(.*)").split(),
        "memory_gib": round(int(_first("/proc/meminfo", r"MemTotal:\s*(\d+)") or 0) / 2**20),
        "linux": ".".join(platform.release().split("-")[0].split(".")[:2]),
        "glibc": platform.libc_ver()[1],
        "python": _python(python),
        "huge_pages": _first("/sys/kernel/mm/transparent_hugepage/enabled", r"\[(\w+)\]"),
        "load": round(os.getloadavg()[0], 2),
    }
    gpu = _gpu()
    return {**told, **gpu}


def sentence(told):
    """`AMD EPYC, 2 cores (virtual), Linux 6.1, glibc 2.36, …`"""
    parts = [
        told["cpu"],
        f"{told['cores']} cores{' of a virtual machine' if told['virtual'] else ''}",
        f"Linux {told['linux']}",
        f"glibc {told['glibc']}",
        f"Python {told['python']}",
    ]
    if "gpu" in told:
        parts.insert(0, f"{told['gpu']}, driver {told['driver']}")
    parts += [f"{name} {version}" for name, version in sorted(told.get("packages", {}).items())]
    parts.append(f"huge pages {told['huge_pages'] or 'unknown'}")
    first = ", at real-time priority" if told.get("real_time") else ""
    parts.append(f"load {told['load']:g} at the start{first}")
    return ", ".join(parts)


def _cpu():
    model = _first("/proc/cpuinfo", r"model name\s*:\s*(.+)") or platform.processor() or platform.machine()
    return re.sub(r"\((R|TM)\)|\s+CPU|\s+Processor", "", model).strip()


def _first(path, pattern):
    try:
        found = re.search(pattern, Path(path).read_text())
    except OSError:
        return ""
    return found.group(1) if found else ""


def _python(python):
    asked = [str(python), "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


# By the management library, which gives the driver's version as people know it, or else by the driver itself.
ASK_GPU = """
import ctypes
try:
    nvml, device = ctypes.CDLL("libnvidia-ml.so.1"), ctypes.c_void_p()
    name, driver = ctypes.create_string_buffer(96), ctypes.create_string_buffer(80)
    assert nvml.nvmlInit_v2() == 0 and nvml.nvmlSystemGetDriverVersion(driver, 80) == 0
    assert nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(device)) == 0
    assert nvml.nvmlDeviceGetName(device, name, 96) == 0
    print(name.value.decode(), driver.value.decode(), sep=chr(10))
except (OSError, AssertionError, AttributeError):
    cuda, device = ctypes.CDLL("libcuda.so.1"), ctypes.c_int()
    name, version = ctypes.create_string_buffer(96), ctypes.c_int()
    assert cuda.cuInit(0) == 0 and cuda.cuDeviceGet(ctypes.byref(device), 0) == 0
    assert cuda.cuDeviceGetName(name, 96, device) == 0 and cuda.cuDriverGetVersion(ctypes.byref(version)) == 0
    print(name.value.decode(), f"of CUDA {version.value // 1000}.{version.value % 1000 // 10}", sep=chr(10))
"""


def _gpu():
    answer = subprocess.run([sys.executable, "-c", ASK_GPU], capture_output=True, text=True)
    told = answer.stdout.splitlines()
    return {"gpu": told[0], "driver": told[1]} if answer.returncode == 0 and len(told) == 2 else {}
