"""Runs the programs that go by steps (programs/steps.h), and says what became of them from their first steps to their
last."""

import itertools
import json
import statistics
import subprocess
import tempfile
import threading
import time

import health
import machine

# A step that takes longer hangs.
PATIENCE = 900


class Failed(Exception):
    """A part found what must not be; the text says what."""


class Stepped:
    """A program that goes by steps."""

    def __init__(self, name, words, environment):
        self.name = name
        self.steps = []
        self._said = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [str(word) for word in words],
            env={**environment, "PYTHONPATH": str(machine.PROGRAMS)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            # What is typed at the terminal is for the soak.
            start_new_session=True,
        )

    def step(self, rounds):
        """Has it do so many rounds; answers what it tells."""
        hangs = threading.Timer(PATIENCE, self.process.kill)
        hangs.start()
        try:
            self.process.stdin.write(f"{rounds}\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            hangs.cancel()
        if not answer:
            raise Failed(f"{self.name} ended after {self.rounds()} rounds, {self._how()}")
        self.steps.append(json.loads(answer))
        return self.steps[-1]

    def rounds(self):
        return sum(step["rounds"] for step in self.steps)

    def each(self, what="processor"):
        """What a round takes, by steps, in seconds."""
        return [step[what] / step["rounds"] for step in self.steps]

    def health(self):
        return health.of(self.process.pid)

    def end(self, silent=True):
        """Lets it end, which has to be well, and without a word unless it may speak; answers what it said."""
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        if self.process.returncode:
            raise Failed(f"{self.name} {self._how()}")
        said = self.said()
        if silent and said:
            raise Failed(f"{self.name} is to say nothing, and said: {said[:300]}")
        return said

    def said(self):
        self._said.seek(0)
        return self._said.read().decode(errors="replace")

    def _how(self):
        return f"with status {self.process.wait(PATIENCE)}: {self.said().strip()[-600:]}"


# Set when somebody has asked the soak to end: what there is by then is told.
stop = threading.Event()


def until(count, seconds):
    """Numbers the steps of a part: until it has gone on so long, or `count()` says that it is enough."""
    began = time.monotonic()
    number = 0
    while not stop.is_set() and not count() and (seconds is None or time.monotonic() - began < seconds):
        yield number
        number += 1


def unless_stopped(ways):
    """Those of a part's ways that are begun."""
    return itertools.takewhile(lambda _: not stop.is_set(), ways)


def first_and_last(values):
    """Medians of the first and of the last tenth."""
    tenth = max(1, len(values) // 10)
    return statistics.median(values[:tenth]), statistics.median(values[-tenth:])
