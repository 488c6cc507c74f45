"""Judges a run in which forked children were to carry on, without CUDA or with their own, by what the program
printed, by the guard's events, and by its words on stderr.

Returns a list of problems; an empty list is a pass.
"""

import re
from statistics import median

from check.streams import broken_promises, masked_lines

# What is counted, as the event is called and as `cases.Told` has it.
COUNTED = {"revived": "revived", "cpu": "cpu", "rewritten": "rewritten", "violation": "violations",
           "refused": "refused"}
# A process is told of once as each of these.
ONCE_A_PROCESS = ("revived", "cpu", "violation")


def judge_carried(case, seen, bare):
    told = case.told
    problems = broken_promises(case, seen, case.works)
    if not told.cut:
        problems += [f"not JSON: {line[:80]}" for line in seen.bad_events[:1]]
    problems += _events(told, seen)
    problems += _refusals(told, seen)
    problems += _report(case, seen) if told.violations else _words(told, seen, bare)
    problems += _times(told, seen)
    return problems


def children_expected(told):
    """What becomes of the children, for the table."""
    if told.violations:
        return "refused: report, SIGABRT"
    becomes = [word for count, word in (
        (told.revived, "CUDA of its own"),
        (told.cpu or told.notices, "CUDA is absent"),
        (told.rewritten, "a fresh process"),
    ) if count]
    return ("refused: " if told.refused else "child: ") + (" or ".join(becomes) or "nothing to do")


def children_told(seen):
    """What the children were told of, and what it cost them, for the table."""
    parts = []
    revived = _named(seen, "revived")
    if revived:
        ours, drivers = (median(_milliseconds(revived, key)) for key in ("took_us", "driver_us"))
        which = ", medians" if len(revived) > 1 else ""
        parts.append(f"{len(revived)} revived: {ours:.2f} ms, and the driver's own {drivers:.1f} ms{which}")
    for name in ("cpu", "rewritten", "refused", "violation"):
        if _named(seen, name):
            parts.append(f"{len(_named(seen, name))} {name}")
    parts += [f"reason: {reason}" for reason in sorted({_reason(event) for event in _named(seen, "refused")})[:1]]
    return "; ".join(parts)


def _named(seen, name):
    return [event for event in seen.events if event.get("event") == name]


def _reason(event):
    return str(event.get("reason") or event.get("refusal") or "")


def _milliseconds(events, key):
    return [event.get(key, 0) / 1000 for event in events]


def _events(told, seen):
    problems = []
    for name, field in COUNTED.items():
        events, wanted = _named(seen, name), getattr(told, field)
        if not (len(events) in wanted if isinstance(wanted, range) else len(events) == wanted):
            problems.append(f"{len(events)} events say {name}, expected {_number(wanted)}")
        pids = [event.get("pid") for event in events]
        if name in ONCE_A_PROCESS and len(set(pids)) != len(pids):
            problems.append(f"a process is told of twice as {name}")
    for event in [*_named(seen, "revived"), *_named(seen, "cpu")][:4]:
        places = [event.get(place) for place in ("initialised", "forked", "used")]
        if event.get("schema") != 1 or not all(isinstance(place, dict) for place in places):
            problems.append(f"the event {event['event']} does not say where CUDA was initialised, forked, used")
        elif places[0].get("pid") == event.get("pid") or places[2].get("pid") != event.get("pid"):
            problems.append(f"the event {event['event']} mistakes the child for its parent")
    return problems


def _number(wanted):
    return f"{wanted.start} to {wanted.stop - 1}" if isinstance(wanted, range) else wanted


def _refusals(told, seen):
    wrong = [event for event in _named(seen, "refused") if not re.search(told.reason, _reason(event))]
    return [f"refused for another reason: {_reason(event)}" for event in wrong[:1]]


def _report(case, seen):
    """The chain ended in a report, which gives the reason."""
    if "forkguard: " not in seen.stderr:
        return ["no report on stderr"]
    unwrapped = " ".join(seen.stderr.split())
    if not re.search(case.told.notice, unwrapped):
        return [f"the report does not show /{case.told.notice}/"]
    return []


def _words(told, seen, bare):
    """Nothing on stderr but what is expected there; a framework's own words may be fewer than bare."""
    said = [line for line in seen.stderr.splitlines() if line.startswith("forkguard:")]
    problems = []
    wanted = told.notices
    if not (len(said) in wanted if isinstance(wanted, range) else len(said) == wanted):
        problems.append(f"{len(said)} notices on stderr, expected {_number(wanted)}"
                        + (f": {said[0]}" if said else ""))
    problems += [f"another notice: {line}" for line in said if not re.search(told.notice, line)][:1]
    more = masked_lines(seen.stderr) - masked_lines(bare.stderr)
    unasked = [line for line in more if not line.startswith("forkguard:")
               and not (told.others and re.search(told.others, line))]
    problems += [f"stderr says more than bare: {line}" for line in unasked[:2]]
    return problems


def _times(told, seen):
    revived = _named(seen, "revived")
    if told.took_ms is None or not revived:
        return []
    missing = [key for key in ("took_us", "driver_us") if any(key not in event for event in revived)]
    if missing:
        return [f"a revived event lacks {' and '.join(missing)}"]
    took = median(_milliseconds(revived, "took_us"))
    return [f"reviving took {took:.2f} ms, expected less than {told.took_ms}"] if took >= told.took_ms else []
