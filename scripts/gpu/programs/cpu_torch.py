"""torch where CUDA is absent in forked children: what scripts/torch/absent.py does there with "cuda" must print what
it prints with the CPU. The parent has only asked, has used the GPU, or has trained on it: `cpu_torch.py HOW`.

Expected under `cpu`: "the same as on the CPU", and one notice in each child that asks for "cuda". Bare, torch refuses
in the children.
"""

import os
import subprocess
import sys
from pathlib import Path

from outcome import say

SCENARIOS = Path(__file__).resolve().parents[2] / "torch" / "absent.py"


def begin(way, **changes):
    command = [sys.executable, "-W", "ignore::DeprecationWarning", SCENARIOS, "all", way]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **changes})


def main():
    # It forks without CUDA: the guard has nothing to do there, and the GPU is not seen.
    plain = begin("cpu", CUDA_VISIBLE_DEVICES="")
    absent = begin(sys.argv[1])
    told, wanted = (process.communicate()[0].splitlines() for process in (absent, plain))
    say(f"exit: {plain.returncode} {absent.returncode}, {len(wanted) > 60}")
    if told == wanted:
        say("the same as on the CPU")
        return
    for mine, theirs in zip(told, wanted):
        if mine != theirs:
            say(f"differs: {mine!r}, on the CPU {theirs!r}")
            break
    else:
        say(f"differs: {len(told)} lines, on the CPU {len(wanted)}")


main()
