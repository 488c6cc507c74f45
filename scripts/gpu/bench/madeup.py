"""Checks what is made of turns, with turns that are made up: a machine whose clock falls while it is measured, which other
tenants slow down for some turns, and whose processes differ by where their memory lies. Of runs of one such machine it
is known what has to be told, and how often at least; the same every time, for the dice are seeded.
"""

import math
import random

from bench.cases import THROUGHPUT
from bench.turns import Fours, order
from figures import Row

RUNS, PAIRS, FOURS = 100, 10, 14
# Of the logarithms: a turn's noise, a process's own, how the clock wanders from turn to turn, and how far it falls.
TURN, PROCESS, WANDERS, FALLS = 0.006, 0.0007, 0.001, 0.1
DISTURBED, BY = 0.05, 0.2
# (what guarded does of bare's, the verdict, of 100 runs at least so many, and at most)
TOLD = [
    (1.0, "reached", 50, 100),
    (1.0, "MISSED", 0, 1),
    (0.99, "MISSED", 95, 100),
    (0.99, "reached", 0, 0),
    # As much as is allowed: whatever is said is an error, and an interval that is 95 % sure errs five times.
    (THROUGHPUT.limit, "reached", 0, 7),
    (THROUGHPUT.limit, "MISSED", 0, 7),
]


def problems():
    """What is told wrongly, in sentences."""
    found = []
    verdicts = {}
    for share, verdict, least, most in TOLD:
        if share not in verdicts:
            dice = random.Random(f"{share}")
            verdicts[share] = [_row(share, dice).verdict() for _ in range(RUNS)]
        told = verdicts[share].count(verdict)
        if not least <= told <= most:
            found.append(f"of {RUNS} runs in which guarded does {share:g} of bare's, {told} are told as {verdict}, "
                         f"expected {least} to {most}")
    return found


def _row(share, dice):
    clock, turns = 0.0, 4 * FOURS * PAIRS
    fours = [Fours() for _ in range(PAIRS)]
    own = [(dice.gauss(0, PROCESS), dice.gauss(0, PROCESS) + math.log(share)) for _ in range(PAIRS)]
    for number in range(FOURS):
        for place in range(PAIRS):
            sides, figures = order(number + place), []
            for side in sides:
                clock += dice.gauss(-FALLS / turns, WANDERS)
                slow = dice.random() * BY if dice.random() < DISTURBED else 0
                figures.append(1e5 * math.exp(clock + own[place][side] + dice.gauss(0, TURN) - slow))
            fours[place].take(sides, figures)
    return Row("made-up", "", "", THROUGHPUT, [of_pair.pair() for of_pair in fours], twins=True)
