"""Judges one run against what its case promises, and says in words what is wrong.

Every function returns a list of problems; an empty list is a pass. Nothing is judged by eye:
the marked lines of the programs (`# INIT`, `# FORK`, `# USE`) are the truth that both forms of
the report, text and JSON, are compared with.
"""

import re
import subprocess
from collections import Counter

from check.judge_carried import judge_carried
from check.judge_served import judge_served
from check.streams import broken_promises, masked_lines

PLACES = {"initialised": "INIT", "forked": "FORK", "used": "USE"}
SECTIONS = {"initialised": 1, "forked": 2, "used": 3}
EVENT_KEYS = ("time", "pid", "ppid", "exe", "argv0", "policy", "function", "library", "advice")
# What the guard promises for a child that would hang for ever.
DELAY_SECONDS = 2.0
SIGABRT_CODE = -6


def marked_lines(source, mark):
    """The numbers of the lines that end in `# MARK` (Python) or `// MARK` (C)."""
    form = re.compile(rf"(#|//) {mark}\s*$")
    lines = source.read_text().splitlines()
    return {number for number, line in enumerate(lines, 1) if form.search(line)}


def judge_bare(case, bare):
    """The program without the guard must do what the facts say; else the case proves nothing."""
    return broken_promises(case, bare, case.bare)


def judge(case, policy, seen, bare, sources, binary):
    """One guarded run. `sources` gives the file that holds each place's mark."""
    if case.expect == "served":
        return judge_served(case, policy, seen)
    if case.expect == "carried":
        return judge_carried(case, seen, bare)
    if case.expect == "silent" or policy == "off":
        return _silent(policy, seen, bare)
    problems = _events_are_sound(seen, policy)
    problems += _places(case, policy, seen, sources, binary)
    if policy == "abort":
        wanted = int(case.guard.get("FORKGUARD_EXIT_CODE", SIGABRT_CODE))
        if seen.timed_out:
            problems.append("the program did not end in time")
        if wanted not in child_exits(seen.stdout):
            problems.append(f"no child ended with {wanted}: {child_exits(seen.stdout) or 'none'}")
    else:
        problems += _same_outcome(seen, bare)
        lost = masked_lines(bare.stderr) - masked_lines(seen.stderr)
        problems += [f"a line of the bare run's stderr is gone: {line}" for line in list(lost)[:2]]
        pids = Counter(event.get("pid") for event in _violations(seen))
        if any(count > 1 for count in pids.values()):
            problems.append("a process reported more than once")
    if case.hangs:
        if seen.delay is None:
            problems.append("no report after the operation started")
        elif seen.delay > DELAY_SECONDS:
            problems.append(f"the report came {seen.delay:.2f} s after the operation started")
    return problems


def child_exits(stdout):
    """Every exit code that the program told of its children."""
    told = re.findall(r"^child exit: (.*)$", stdout, re.M)
    return sorted({int(code) for line in told for code in re.findall(r"-?\d+", line)})


def _violations(seen):
    """The events that matter here; an `initialised` event may stand before them."""
    return [event for event in seen.events if event.get("event") == "violation"]


def _silent(policy, seen, bare):
    problems = _same_outcome(seen, bare)
    said, said_bare = masked_lines(seen.stderr), masked_lines(bare.stderr)
    problems += [f"stderr says more than bare: {line}" for line in list(said - said_bare)[:2]]
    problems += [f"stderr says less than bare: {line}" for line in list(said_bare - said)[:2]]
    # Who asks for events may be told of an initialisation; under `off` nothing is even watched.
    allowed = set() if policy == "off" else {"initialised"}
    told = sorted({str(event.get("event")) for event in seen.events} - allowed)
    if told or seen.bad_events:
        problems.append(f"events were written: {', '.join(told) or 'not JSON'}")
    return problems


def _same_outcome(seen, bare):
    problems = []
    if (seen.timed_out, seen.code) != (bare.timed_out, bare.code):
        problems.append(f"ended with {_ending(seen)}, bare with {_ending(bare)}")
    if seen.stdout != bare.stdout:
        more = list((Counter(seen.stdout.splitlines()) - Counter(bare.stdout.splitlines())))[:1]
        problems.append(f"stdout differs from bare: {more[0] if more else 'lines are missing'}")
    return problems


def _ending(seen):
    return "the time limit" if seen.timed_out else seen.code


def _events_are_sound(seen, policy):
    problems = [f"not JSON: {line[:80]}" for line in seen.bad_events[:1]]
    violations = _violations(seen)
    if not violations:
        return [*problems, "no violation event was written"]
    for event in violations[:4]:
        missing = [key for key in (*EVENT_KEYS, *PLACES) if key not in event]
        if missing:
            problems.append(f"the event lacks {', '.join(missing)}")
            continue
        if event.get("schema") != 1:
            problems.append(f"the event's schema is {event.get('schema')}")
        if event["policy"] != policy:
            problems.append(f"the event's policy is {event['policy']}")
        if event["used"].get("pid") != event["pid"]:
            problems.append("the event's pid is not the pid that used CUDA")
        if event["initialised"].get("pid") == event["pid"]:
            problems.append("the event says that the child itself initialised CUDA")
        times = [(event[place] or {}).get("time") for place in PLACES]
        if None in times or times != sorted(times):
            problems.append("the event's three times are missing or out of order")
        if not event["advice"]:
            problems.append("the event has no advice")
    return problems


def _places(case, policy, seen, sources, binary):
    """Text and JSON must name file:line of all three places, the function, the library, the way out."""
    violations = _violations(seen)
    wanted = {place: (sources[place], marked_lines(sources[place], mark))
              for place, mark in PLACES.items()}
    wrong = [_event_problems(case, event, wanted, binary) for event in violations]
    # Under abort a Pool starts new workers from a thread of its own; one right report is enough.
    # Under warn every process is one that the program itself forked: all must be right.
    if policy == "abort":
        wrong = [min(wrong, key=len)] if wrong else []
    problems = sorted({problem for group in wrong for problem in group})
    if "forkguard: " not in seen.stderr:
        return [*problems, "no report on stderr"]
    if not re.search(case.text, seen.stderr):
        problems.append(f"the text does not show /{case.text}/")
    for place, (source, lines) in wanted.items():
        blocks = _sections(seen.stderr, SECTIONS[place])
        names = [f"{source.name}:{line}" for line in lines]
        if binary:
            names.append(binary.name)
        forms = [re.compile(rf"(?<![\w.-]){re.escape(name)}(?!\d)") for name in names]
        if not blocks:
            problems.append(f"the text has no section '{SECTIONS[place]} ...'")
        elif not any(form.search(block) for form in forms for block in blocks):
            problems.append(f"the text does not name {' or '.join(names)} under {place}")
    return problems


def _event_problems(case, event, wanted, binary):
    problems = []
    for place, (source, lines) in wanted.items():
        told = event.get(place) or {}
        at = _native_lines(told, binary) if binary else {
            (str(frame.get("file", "")).rsplit("/", 1)[-1], frame.get("line"))
            for frame in told.get("python") or []
        }
        if not any((source.name, line) in at for line in lines):
            where = "/".join(str(line) for line in sorted(lines))
            nearest = [f"{name}:{line}" for name, line in sorted(at, key=str) if name == source.name]
            instead = ", ".join(nearest) or "not there"
            problems.append(f"JSON {place} is not {source.name}:{where} ({instead})")
    if not re.search(case.function, str(event.get("function"))):
        problems.append(f"JSON function is {event.get('function')}, expected /{case.function}/")
    if not re.search(case.library, str(event.get("library"))):
        problems.append(f"JSON library is {event.get('library')}, expected /{case.library}/")
    if not re.search(case.advice, " ".join(map(str, event.get("advice") or []))):
        problems.append(f"JSON advice does not show /{case.advice}/")
    return problems


def _native_lines(told, binary):
    """(file, line) of the frames that lie in the program itself, by its debug information."""
    found = set()
    for frame in told.get("native") or []:
        if str(frame.get("module", "")).rsplit("/", 1)[-1] != binary.name:
            continue
        offset = frame.get("offset")
        offset = int(offset, 0) if isinstance(offset, str) else offset
        # A return address belongs to the line after the call; one byte before is the call itself.
        for address in (offset - 1, offset):
            answer = subprocess.run(
                ["addr2line", "-e", str(binary), hex(address)], capture_output=True, text=True
            ).stdout.strip().split(" ")[0]
            name, _, line = answer.rpartition(":")
            if line.isdigit():
                found.add((name.rsplit("/", 1)[-1], int(line)))
    return found


def _sections(stderr, number):
    """The text of every section `  N word ...` of every report, up to the next section or blank line."""
    blocks, current = [], None
    for line in stderr.splitlines():
        if re.match(rf"  {number} \w+", line):
            current = [line]
            blocks.append(current)
        elif re.match(r"  \d \w+|  fix\b|\s*$", line):
            current = None
        elif current is not None:
            current.append(line)
    return ["\n".join(block) for block in blocks]
