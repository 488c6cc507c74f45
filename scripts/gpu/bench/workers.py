"""A program that runs for the whole measurement, bare or guarded, and does its work when it is asked to.

Both sides of a pair live at the same time and take turns, so that a turn costs no start, and what the machine does
meanwhile happens to both. One that waits for its turn sleeps in a read.
"""

import json
import os
import select
import subprocess
import time

from bench import cores


class Failed(Exception):
    """What a program did wrong, in a sentence."""


class Worker:
    """One process. It answers a JSON object a line (programs/segments.py)."""

    def __init__(self, command, env, errors):
        self.errors = errors
        self._rest = b""
        with open(errors, "wb") as stderr:
            self.process = subprocess.Popen(
                command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True
            )

    def pin(self, onto):
        cores.pin(self.process.pid, onto)

    def ask(self, patience, **what):
        """What the program answers to this."""
        try:
            self.process.stdin.write(f"{json.dumps(what)}\n".encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return self.answer(patience)

    def answer(self, patience):
        ends = time.monotonic() + patience
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, ends - time.monotonic()))
            if not ready:
                raise Failed(f"did not answer within {patience:.0f} s")
            part = os.read(self.process.stdout.fileno(), 4096)
            if not part:
                raise Failed(f"ended with {self.process.wait()}: {self._last_words()}")
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    def let_end(self):
        """At its input's end it ends by itself."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            # It is gone, and did not read what it was asked last.
            pass

    def end(self, patience=30):
        """Waits for its end, and says what was wrong with it."""
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise Failed("did not end") from None
        if code:
            raise Failed(f"ended with {code}: {self._last_words()}")
        self.must_be_silent()

    def must_be_silent(self):
        """Fails where the guard has said something."""
        with open(self.errors, errors="replace") as told:
            said = [line.strip() for line in told if line.startswith("forkguard:")]
        if said:
            raise Failed(f"was told of by the guard: {said[0]}")

    def kill(self):
        """With all that it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, 9)
            self.process.wait()
        self.let_end()
        self.process.stdout.close()

    def _last_words(self):
        with open(self.errors, errors="replace") as told:
            return (told.read().strip().splitlines() or ["no message"])[-1]
