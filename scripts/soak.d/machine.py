"""What the soak runs with: the guard's library and command, a driver, the programs; and where it runs them.

It runs alone, as process 1 of a pid namespace with a /proc and a /dev/shm of its own: what else goes on here is not
seen, and nothing that it starts outlives it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
PROGRAMS = Path(__file__).resolve().parent / "programs"
BUILT = TARGET / "soak"
DRIVER = BUILT / "driver"

ALONE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--mount"]
OWN_MEMORY = 'mount -t tmpfs -o mode=1777 none /dev/shm && exec "$@"'


def compiled(output, sources, *flags):
    output.parent.mkdir(parents=True, exist_ok=True)
    flags = ["-O2", "-g", "-Wall", "-Wextra", "-Werror", "-pthread", "-I", ROOT / "include", *flags]
    subprocess.run(["gcc", *flags, "-o", output, *sources, "-ldl"], check=True)


def build(library, command):
    """All that is needed; answers where the library and the command are."""
    if library is None or command is None:
        subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    library, command = library or TARGET / "release/libforkguard.so", command or TARGET / "release/forkguard"
    for file in (library, command):
        if not file.is_file():
            sys.exit(f"soak: {file} is no file")
    # The stand-in of the tests, which refuses in forks as the true driver does.
    sources = [ROOT / "tests/driver" / name for name in ("driver.c", "devices.c", "lookup.c", "others.c")]
    flags = ["-shared", "-fPIC", "-fexceptions", "-Wl,-Bsymbolic,-soname,libcuda.so.1"]
    compiled(DRIVER / "libcuda.so.1", sources, *flags)
    for source in PROGRAMS.glob("*.c"):
        if source.stem.startswith("lib"):
            compiled(BUILT / f"{source.stem}.so", [source], "-shared", "-fPIC")
        else:
            compiled(BUILT / source.stem, [source])
    compiled(BUILT / "posix", [ROOT / "tests/clients/posix.c"])
    return library.resolve(), command.resolve()


def alone(words):
    """Runs these words in this process's place, alone."""
    mapped = [] if os.geteuid() == 0 else ["--map-root-user"]
    try:
        os.execvp(ALONE[0], [*ALONE, *mapped, "sh", "-c", OWN_MEMORY, "sh", *map(str, words)])
    except OSError as error:
        sys.exit(f"soak: unshare (of util-linux) is needed and cannot be run: {error.strerror}")


def bare():
    """The environment of a program that runs without the guard."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FORKGUARD_", "LD_", "PYTHON"))}
    return {**kept, "LD_LIBRARY_PATH": str(DRIVER), "PYTHONDONTWRITEBYTECODE": "1"}
