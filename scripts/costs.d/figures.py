"""What is measured bare and guarded, by turns: the pairs of one row, what they say, and whether the aim is reached.

A figure is the median of all pairs' differences or ratios, with the interval in which the true median lies with 95 %
probability. The interval is read off the sorted pairs (a sign test turned round), so that it needs no belief about how
the times are distributed, which on a shared machine is like nothing in a book. A verdict is given only where the whole
interval lies on one side of the aim: what noise could have decided is called noise.

Where it is known which differences noise makes, less noise is left. Two processes of one program differ by where their
memory lies, and which of the two does better is chance: a ratio of so much is then as likely as its inverse. Of such
`twins` the figure is the median of all means of two pairs, and its interval that of the signed ranks, which is a third
narrower for as many pairs.

Knows nothing of processes, machines or files.
"""

import math
from dataclasses import dataclass, field
from statistics import median

# Of an interval: how improbable it is that the median lies below it, and how improbable that it lies above.
TAIL = 0.025
# With fewer pairs no interval is as sure as that.
FEWEST = 6


@dataclass(frozen=True)
class Aim:
    """`more`: at most so much more than bare. `times`: at most so many times bare. `share`: at least this share of
    bare. `most`: at most this, of a figure that has no bare counterpart."""

    kind: str
    limit: float

    def seen(self, bare, guarded):
        """What is compared with the limit."""
        if self.kind == "more":
            return guarded - bare
        return guarded if self.kind == "most" else guarded / bare

    def holds(self, value):
        # What is counted comes as a quotient: three instructions may be 3.0000001.
        slack = 1e-6 * abs(self.limit)
        return value >= self.limit - slack if self.kind == "share" else value <= self.limit + slack

    def text(self):
        sign = {"more": "≤ +", "times": "≤ ×", "share": "≥ ×", "most": "≤ "}[self.kind]
        return f"{sign}{self.limit:g}"


@dataclass
class Row:
    """One thing that was measured. `pairs` are (bare, guarded); bare is None where there is no such thing."""

    key: str
    what: str
    unit: str
    aim: Aim = None
    pairs: list = field(default_factory=list)
    # Why it was not measured, or what has to be known to read it.
    note: str = ""
    # Counted and not timed: the same every time, so that one pair says all.
    exact: bool = False
    # Noise makes a pair's ratio as likely as its inverse.
    twins: bool = False

    def bare(self):
        return None if self.alone() else median(pair[0] for pair in self.pairs)

    def guarded(self):
        return median(pair[1] for pair in self.pairs)

    def more(self):
        return None if self.alone() else median(guarded - bare for bare, guarded in self.pairs)

    def times(self):
        if self.alone():
            return None
        return self._of_twins()[1] if self.twins else median(guarded / bare for bare, guarded in self.pairs)

    def alone(self):
        return self.pairs[0][0] is None

    def interval(self):
        """(low, high) of what the aim is about; of the difference where there is no aim; None for one that is alone."""
        if self.aim is None and self.alone():
            return None
        aim = self.aim or Aim("more", 0.0)
        if self.twins and aim.kind in ("times", "share"):
            low, _, high = self._of_twins()
            return low, high
        return interval([aim.seen(bare, guarded) for bare, guarded in self.pairs])

    def _of_twins(self):
        return tuple(math.exp(value) for value in balanced([math.log(guarded / bare) for bare, guarded in self.pairs]))

    def verdict(self):
        if not self.pairs:
            return "not measured"
        if self.aim is None:
            return ""
        if len(self.pairs) < FEWEST and not self.exact:
            return "too few pairs"
        held = {self.aim.holds(value) for value in self.interval()}
        if len(held) == 2:
            return "within noise"
        return "reached" if held == {True} else "MISSED"


def interval(values):
    """The bounds of the median: the k-th smallest and the k-th largest value, where k is as large as TAIL allows. Of
    fewer than FEWEST values no two bounds are as sure as that; then it is the smallest and the largest."""
    ordered = sorted(values)
    count, below, k = len(ordered), 0.0, 0
    while True:
        below += math.comb(count, k) / 2**count
        if below > TAIL:
            break
        k += 1
    k = max(k, 1)
    return ordered[k - 1], ordered[count - k]


def balanced(values):
    """(low, middle, high) of values that noise moves as far down as up: the median of the means of every two, a value
    and itself included, and of these means the k-th smallest and the k-th largest, where k is as large as TAIL allows.
    """
    means = sorted((one + other) / 2 for place, one in enumerate(values) for other in values[place:])
    # How many choices of signs give each sum of the positive ranks, were there nothing but noise.
    ways = [1]
    for rank in range(1, len(values) + 1):
        more = [0] * rank + ways
        ways = [count + (ways[total] if total < len(ways) else 0) for total, count in enumerate(more)]
    below, k = 0.0, 0
    while True:
        below += ways[k] / 2 ** len(values)
        if below > TAIL:
            break
        k += 1
    k = max(k, 1)
    return means[k - 1], median(means), means[len(means) - k]


def number(value):
    """As many digits as a reader can use; a dash for what is not there."""
    if value is None:
        return "–"
    size = abs(value)
    digits = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 1 else 3
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text and size >= 1 else text


def signed(value):
    return "–" if value is None else f"{'+' if value >= 0 else '−'}{number(abs(value))}"
