"""Starts of workers after CUDA under the policy exec: each a fresh process, executed, or copied from the template."""

import machine
from stepping import Stepped, first_and_last, unless_stopped, until
from table import Row, duration

SECONDS = 150
PYTHON = machine.PROGRAMS / "starts.py"
# The quickest first: a hundred thousand of them take minutes, of the others hours.
WAYS = [
    ("C, at an entry", machine.BUILT / "entries", "0", 50, 100_000),
    ("Python, executed", PYTHON, "0", 5, 100_000),
    ("Python, of the template", PYTHON, "1", 10, 100_000),
]
WARM = 4
MORE_PRIVATE_KIB = 1024
MORE_MAPPINGS = 4
SLOWER = 1.25


def run(setting):
    for way, program, template, a_step, rounds in unless_stopped(WAYS):
        environment = {
            **machine.bare(),
            "LD_PRELOAD": str(setting.library),
            "FORKGUARD_POLICY": "exec,abort",
            "FORKGUARD_TEMPLATE": template,
        }
        words = [setting.python, "-B", program] if program == PYTHON else [program]
        program = Stepped(f"starts, {way}", words, environment)
        before = None
        a_step = a_step * (10 if setting.long else 1)
        for number in until(lambda: program.rounds() >= rounds, setting.seconds(SECONDS / len(WAYS))):
            program.step(a_step)
            if number + 1 == WARM:
                before = program.health()
            setting.note(f"workers under exec, {way}", program.rounds())
        troubles = ["too few rounds to be judged"]
        if before:
            troubles = before.growth(program.health(), MORE_PRIVATE_KIB, MORE_MAPPINGS)
        # By processor time, that of the workers included: the clock's is what else the machine does as well.
        first, last = first_and_last(program.each())
        drift = last / first
        if drift > SLOWER:
            troubles.append(f"slower at the end: {drift:.2f} times what it was")
        program.end()
        yield Row(
            f"workers under exec, {way}",
            program.rounds(),
            guarded=duration(last),
            troubles=troubles,
            remark=f"at the end {drift:.2f} times the beginning",
        )
