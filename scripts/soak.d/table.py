"""The soak's table."""

from dataclasses import dataclass, field

WIDTHS = (36, 12, 11, 11, 7)


@dataclass
class Row:
    """A line of it; with troubles the verdict is that they are there."""

    what: str
    count: object
    bare: str = ""
    guarded: str = ""
    times: object = ""
    troubles: list = field(default_factory=list)
    remark: str = ""

    def __str__(self):
        verdict = "FAILED: " + "; ".join(self.troubles) if self.troubles else "well"
        if self.remark:
            verdict += f" ({self.remark})"
        count = f"{self.count:,}" if isinstance(self.count, int) else self.count
        times = f"{self.times:.3f}" if isinstance(self.times, float) else self.times
        return _line(self.what, count, self.bare, self.guarded, times, verdict)


def head():
    return _line("what", "how many", "bare", "guarded", "times", "verdict")


def _line(what, count, bare, guarded, times, verdict):
    columns = [f"{what:<{WIDTHS[0]}}"]
    columns += [f"{text:>{width}}" for text, width in zip((count, bare, guarded, times), WIDTHS[1:])]
    return " ".join(columns) + "  " + verdict


def duration(seconds):
    for unit, factor in (("s", 1), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.2f} {unit}"
    return f"{seconds * 1e6:.1f} µs"
