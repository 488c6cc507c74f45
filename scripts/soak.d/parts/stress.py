"""stress-ng's stressors of what the guard interposes, or that comes near it: bare, under the guard, and under it in
processes that have initialised CUDA. None may fail, and the guard may say nothing. How much they get done, for the
processor time that they take, is told and not judged."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import machine
from stepping import Failed, stop
from table import Row

SECONDS = 130
LONG_SECONDS = 10
STRESSORS = (
    "fork vfork vforkmany clone daemon zombie wait spawn exec dynlib pthread sem shm memfd madvise nice "
    "getrandom env get pidfd signal sigrt sigq sigchld sigfd sigpending sigsuspend sigpipe signest sigsegv sigabrt "
    "sigtrap itimer kill"
).split()
# These refuse to run as root.
NOT_AS_ROOT = {"exec", "spawn"}
NOBODY = 65534
PATIENCE = 120


def run(setting):
    program = shutil.which("stress-ng")
    if program is None:
        raise Failed("stress-ng is missing: install it (the package is called so)")
    share = setting.seconds(SECONDS)
    seconds = LONG_SECONDS if share is None else max(1, round(share / len(STRESSORS) / 3))
    with tempfile.TemporaryDirectory() as folder:
        yield from rows(program, seconds, ways(setting, Path(folder)))


def rows(program, seconds, environments):
    for stressor in STRESSORS:
        if stop.is_set():
            return
        done, troubles, remark = {}, [], ""
        for way, environment in environments.items():
            done[way], failed = once(program, stressor, seconds, environment)
            troubles += [f"{way}: {sentence}" for sentence in failed]
        if all(done.values()):
            remark = f"after cuInit {done['after cuInit'] / done['bare']:.3f}"
        elif not troubles:
            remark = "does nothing here"
        bare, guarded = done["bare"], done["guarded"]
        yield Row(
            f"stress-ng {stressor}, a processor s",
            f"{seconds} s",
            f"{bare:,.0f}" if bare else "",
            f"{guarded:,.0f}" if guarded else "",
            guarded / bare if bare and guarded else "",
            troubles,
            remark,
        )


def ways(setting, folder):
    """The environments, with libraries that everybody may read: some stressors go on as another user."""
    folder.chmod(0o755)
    libraries = [setting.library, machine.BUILT / "libinitialised.so", machine.DRIVER / "libcuda.so.1"]
    guard, initialised, _ = (shutil.copy(library, folder) for library in libraries)
    bare = {**machine.bare(), "LD_LIBRARY_PATH": str(folder)}
    guarded = {**bare, "LD_PRELOAD": guard, "FORKGUARD_POLICY": "abort"}
    return {"bare": bare, "guarded": guarded, "after cuInit": {**guarded, "LD_PRELOAD": f"{guard}:{initialised}"}}


def once(program, stressor, seconds, environment):
    """How much it got done in a second of processor time, None where it did nothing, and what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        told = f"{folder}/told"
        words = [program, f"--{stressor}", "1"]
        words += ["--timeout", str(seconds), "--metrics", "--yaml", told, "--no-rand-seed", "--temp-path", folder]
        who = {}
        if stressor in NOT_AS_ROOT and os.geteuid() == 0:
            who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chmod(folder, 0o777)
        try:
            # In its folder: a crash that is wanted may leave a core there.
            answer = subprocess.run(
                words, env=environment, cwd=folder, capture_output=True, text=True, timeout=seconds + PATIENCE, **who
            )
        except subprocess.TimeoutExpired:
            return None, ["it does not end"]
        text = answer.stdout + answer.stderr
        figures = Path(told).read_text() if os.path.exists(told) else ""
    troubles = []
    if "forkguard" in text:
        troubles.append(f"the guard says: {text[text.index('forkguard'):][:200]}")
    if answer.returncode or re.search(r"\bfail(ed)?:|unsuccessful", text):
        troubles.append(f"status {answer.returncode}: {text.strip()[-300:]}")
    rate = re.search(r"bogo-ops-per-second-usr-sys-time: ([\d.]+)", figures)
    return (float(rate.group(1)) or None) if rate else None, troubles
