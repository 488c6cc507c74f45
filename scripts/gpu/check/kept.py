"""What scripts/gpu-check keeps of a run: a file with a line of JSON for the run and one for each row, written when the
row is there. A run that was killed leaves what it had; its last line may be cut.

Knows nothing of how cases are run or judged.
"""

import hashlib
import json
from dataclasses import dataclass, field


def identity(lib):
    """What tells a library from another one."""
    return hashlib.sha256(lib.read_bytes()).hexdigest()


@dataclass
class Kept:
    """What a file has."""

    library: str = ""
    rows: list = field(default_factory=list)

    def of(self, case):
        return [row for row in self.rows if row["case"] == case.name]

    def has(self, case):
        """Whether every run of the case is there, as it is today. What could not be run is to be tried again."""
        ran = {row["policy"] for row in self.of(case) if row["result"] != "not run"}
        return ran == {"bare", *case.policies}

    def failed(self, case):
        return any(row["result"] == "FAIL" for row in self.of(case))

    def seconds(self, case):
        """How long its longest run took; 0 where it did not run."""
        return max((row["seconds"] for row in self.of(case)), default=0)


def read(path):
    """What is in a file, without a cut line at its end."""
    whole = path.read_text().rpartition("\n")[0].splitlines()
    try:
        head, *rows = (json.loads(line) for line in whole)
        return Kept(head["library"], rows)
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is not what `scripts/gpu-check --json` writes") from None


class Keeper:
    """Takes rows, and writes each into the file, where there is one."""

    def __init__(self, path, title, lib, rows):
        """`rows` are another run's that this one goes on from."""
        self.rows = rows
        self._file = None
        if path:
            # All that is taken over is read already: it may be of this very file, whose last line may be cut.
            beside = path.with_name(path.name + ".new")
            self._file = beside.open("w")
            self._write([{"machine": title, "library": identity(lib)}, *rows])
            beside.replace(path)

    def __call__(self, rows):
        self._write(rows)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._file:
            self._file.close()

    def _write(self, lines):
        if self._file:
            self._file.writelines(json.dumps(line) + "\n" for line in lines)
            self._file.flush()
