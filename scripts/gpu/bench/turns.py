"""Turns of two sides, one right after the other, and what they say of the two.

What a machine does meanwhile (its clock, its heat, its other tenants) changes slowly, so that two sides that take short
turns see the same of it; four turns in the order one, other, other, one see the same of it also while it goes one way.
What lasts for a part of a turn only is in one of the four: such fours stand out and are left out, on either end as many.

Knows nothing of processes and of what is measured.
"""

import math

ORDER = (0, 1, 1, 0)
# Of the fours, on either end.
LEFT_OUT = 0.2


def order(number):
    """Who has the four turns of that number: sides, 0 or 1. Who begins changes."""
    return tuple(side ^ (number % 2) for side in ORDER)


class Fours:
    """All turns of one pair."""

    def __init__(self):
        # Logarithms: the mean of both turns of either side.
        self._fours = []

    def __len__(self):
        return len(self._fours)

    def take(self, sides, figures):
        """Four turns in the order that `order` gave, as figures of one kind, which are above zero."""
        self._fours.append(tuple(
            sum(math.log(figure) for whose, figure in zip(sides, figures) if whose == side) / 2 for side in (0, 1)
        ))

    def pair(self):
        """(one side's figure, the other's): geometric means of the fours that do not stand out, so that the ratio of
        the two is the mean of the fours' ratios."""
        ordered = sorted(self._fours, key=lambda four: four[1] - four[0])
        out = int(LEFT_OUT * len(ordered))
        kept = ordered[out:len(ordered) - out]
        return tuple(math.exp(sum(four[side] for four in kept) / len(kept)) for side in (0, 1))
