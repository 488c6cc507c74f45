"""A signal between a process and its children that does not hang when the other side is gone."""

import os
import select

from outcome import PATIENCE


class Signal:
    """Made before the fork: one side gives it, the other waits for it."""

    def __init__(self):
        self.reader, self.writer = os.pipe()

    def give(self, word=b"."):
        os.write(self.writer, word)

    def wait(self, child=None):
        """The byte that was given, or nothing when the time is up or the child that should give it is gone."""
        others = [os.pidfd_open(child)] if child else []
        ready, _, _ = select.select([self.reader, *others], [], [], PATIENCE)
        for other in others:
            os.close(other)
        return os.read(self.reader, 1) if self.reader in ready else b""

    def is_given(self):
        return bool(select.select([self.reader], [], [], 0)[0])
