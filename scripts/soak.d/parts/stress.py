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
    "fork vfork vforkmany clone forkheavy daemon zombie wait spawn exec dynlib pthread sem shm memfd madvise nice "
    "getrandom env get pidfd signal sigrt sigq sigchld sigfd sigpending sigsuspend sigpipe signest sigsegv sigabrt "
    "sigtrap itimer kill mlockmany"
).split()
# What would take more of a machine than is needed to see whether it works.
OPTIONS = {"forkheavy": ["--forkheavy-procs", "32"], "mlockmany": ["--mlockmany-procs", "64"]}
PATIENCE = 120


def run(setting):
    program = shutil.which("stress-ng")
    if program is None:
        raise Failed("stress-ng is missing: install it (the package is called so)")
    share = setting.seconds(SECONDS)
    seconds = LONG_SECONDS if share is None else max(1, round(share / len(STRESSORS) / 3))
    environments = ways(setting)
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
            remark = "not to be had here"
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


def ways(setting):
    guarded = {**machine.bare(), "LD_PRELOAD": str(setting.library), "FORKGUARD_POLICY": "abort"}
    initialised = {**guarded, "LD_PRELOAD": f"{setting.library}:{machine.BUILT / 'libinitialised.so'}"}
    return {"bare": machine.bare(), "guarded": guarded, "after cuInit": initialised}


def once(program, stressor, seconds, environment):
    """How much it got done in a second of processor time, None where it did nothing, and what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        told = f"{folder}/told"
        words = [program, f"--{stressor}", "1", *OPTIONS.get(stressor, [])]
        words += ["--timeout", str(seconds), "--metrics", "--yaml", told, "--no-rand-seed", "--temp-path", folder]
        try:
            # In its folder: a crash that is wanted may leave a core there.
            answer = subprocess.run(
                words, env=environment, cwd=folder, capture_output=True, text=True, timeout=seconds + PATIENCE
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
