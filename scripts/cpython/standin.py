"""The stand-in driver for scripts that start Python programs, built of tests/driver."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = ("driver.c", "devices.c", "lookup.c", "others.c")


def built(place):
    """The directory, `place`, which now has a libcuda.so.1."""
    place.mkdir(parents=True, exist_ok=True)
    sources = [str(ROOT / "tests" / "driver" / name) for name in SOURCES]
    flags = ["-O1", "-shared", "-fPIC", "-pthread", "-Wl,-Bsymbolic,-soname,libcuda.so.1"]
    # Moved there whole: another run of the script may be using it.
    made = place / f"libcuda.so.1.{os.getpid()}"
    subprocess.run(["gcc", *flags, "-o", str(made), *sources], check=True)
    made.replace(place / "libcuda.so.1")
    return place
