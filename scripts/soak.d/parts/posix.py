"""What fork, wait, pipes, signals and their like promise (tests/clients/posix.c): checked again and again, bare and
under the guard, whatever the policy, before and after cuInit."""

import subprocess

import machine
from stepping import Failed, until
from table import Row

SECONDS = 30
ROUNDS = 500
POLICIES = ["off", "abort", "exec,abort", "exec,revive,cpu"]


def run(setting):
    program = machine.BUILT / "posix"
    for when in ("untouched", "initialised"):
        expected = checked(program, when, machine.bare())
        if any(not line.endswith(": ok") for line in expected):
            raise Failed(f"without the guard: {wrong(expected)}")
        for policy in POLICIES:
            environment = {**machine.bare(), "LD_PRELOAD": str(setting.library), "FORKGUARD_POLICY": policy}
            troubles, rounds = [], 0
            for _ in until(lambda: troubles or rounds >= ROUNDS, setting.seconds(SECONDS / 2 / len(POLICIES))):
                lines = checked(program, when, environment)
                rounds += 1
                if lines != expected:
                    troubles = [wrong(lines)]
            yield Row(f"POSIX, {when}, {policy}", f"{rounds} x {len(expected)}", troubles=troubles)


def checked(program, when, environment):
    answer = subprocess.run([program, when], env=environment, capture_output=True, text=True, timeout=600)
    return (answer.stdout + answer.stderr).splitlines()


def wrong(lines):
    return "; ".join(line for line in lines if not line.endswith(": ok")) or f"{len(lines)} checks were made"
