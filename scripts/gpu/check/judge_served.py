"""Judges a run in which forks were to become fresh processes, by what the program printed, what the
guard's events say, and what the workers say of themselves.

Returns a list of problems; an empty list is a pass.
"""

from check.streams import broken_promises

# What a worker says of itself: see programs/fresh.py.
FRESH = ("worker: fresh, executed", "worker: fresh, of the template")


def judge_served(case, way, seen):
    """`way` is `exec`, where no worker may be a copy of the template, or `exec, template`."""
    problems = broken_promises(case, seen, case.works)
    problems += [f"not JSON: {line[:80]}" for line in seen.bad_events[:1]]
    problems += _forks(case, seen)
    problems += _workers(case, way, seen)
    said = [line for line in seen.stderr.splitlines() if line.startswith("forkguard:")]
    problems += [f"stderr says: {line}" for line in said[:1]]
    return problems


def starts_told(seen):
    """What the starts cost in the program, for the table."""
    starts = _named(seen, "rewritten")
    if not starts:
        return f"no fork was one after CUDA; {seen.seconds:.1f} s"
    copies = seen.stdout.splitlines().count(FRESH[1])
    of_which = f", {copies} of the template" if copies else ""
    took = sorted(event.get("took_us", 0) / 1000 for event in starts)
    carried = max(event.get("carried_bytes", 0) for event in starts) / 1024
    return (f"{len(starts)} fresh{of_which}, {took[0]:.1f}-{took[-1]:.1f} ms and {carried:.0f} KiB a start; "
            f"{seen.seconds:.1f} s")


def _named(seen, name):
    return [event for event in seen.events if event.get("event") == name]


def _forks(case, seen):
    """One `rewritten` for each worker, nothing refused, nobody in the wrong."""
    problems = [f"refused: {event.get('reason')}" for event in _named(seen, "refused")[:2]]
    if _named(seen, "violation"):
        problems.append("a violation was reported")
    starts = _named(seen, "rewritten")
    if case.rewritten is not None and len(starts) != case.rewritten:
        problems.append(f"{len(starts)} forks became fresh processes, expected {case.rewritten}")
    children = [event.get("child") for event in starts]
    if len(set(children)) != len(children):
        problems.append("two fresh processes have one pid")
    # Whoever initialised CUDA has it of its own; a fork of the parent could not have.
    own = {event.get("pid") for event in _named(seen, "initialised")} & set(children)
    if case.initialise == "each" and len(own) != len(children) or case.initialise == "some" and not own:
        problems.append(f"{len(own)} of {len(children)} fresh processes initialised CUDA themselves")
    if case.initialise == "none" and own:
        problems.append(f"{len(own)} fresh processes initialised CUDA, which none of them needs")
    return problems


def _workers(case, way, seen):
    """Every worker that speaks of itself is fresh, and where they are to speak, all do."""
    told = [line for line in seen.stdout.splitlines() if line.startswith("worker: ")]
    problems = [f"a worker is not fresh: {line}" for line in told if line not in FRESH][:1]
    copies = told.count(FRESH[1])
    if way == "exec" and copies:
        problems.append(f"{copies} workers are copies of a template, which was not asked for")
    if way != "exec" and case.copies and copies != case.rewritten:
        problems.append(f"{copies} workers are copies of the template, expected {case.rewritten}")
    if case.telling and len(told) != case.rewritten:
        problems.append(f"{len(told)} workers spoke, expected {case.rewritten}")
    return problems
