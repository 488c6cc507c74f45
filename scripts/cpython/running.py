"""Runs one module of CPython's suites one way, and says in what two such runs differ."""

import collections
import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PATIENCE = 1200
OF_A_TRACE = {"loaded", "attempted", "context"}


def run(python, module, log, library=None, driver=None, template=None):
    """One module, with the library or without. With a `driver` (its directory), the suite's process initialises CUDA
    first, and under the library every fork of multiprocessing's is rewritten; `template` is the guard's variable.

    Answers what suite.py told, and what else is to be known.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "FORKGUARD_", "LD_"))
    }
    with tempfile.TemporaryDirectory(prefix="fg-", ignore_cleanup_errors=True) as place:
        events, result, work = Path(place, "events"), Path(place, "result.json"), Path(place, "work")
        work.mkdir()
        environment["TMPDIR"] = place
        if library:
            environment["LD_PRELOAD"] = str(library)
            # A report has no more than a log collector wants, and here each fork counts; a trace has every process,
            # also those of tests that become another user, who may not write to the file.
            environment["FORKGUARD_TRACE" if driver else "FORKGUARD_REPORT"] = str(events)
        if driver:
            environment["LD_LIBRARY_PATH"] = str(driver)
            environment["FORKGUARD_POLICY"] = "exec,warn"
        if template is not None:
            environment["FORKGUARD_TEMPLATE"] = template
        script = HERE / ("after_cuda.py" if driver else "suite.py")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(python), str(script), module, str(result)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=work,
                env=environment,
                start_new_session=True,
            )
            try:
                status = process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                status = f"did not end within {PATIENCE} s"
                output.write(state_of_session(process.pid).encode())
            # Whatever the tests left behind belongs to their session.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        told = json.loads(result.read_text()) if result.exists() else None
        found = [json.loads(line) for line in events.read_text().splitlines()] if events.exists() else []
        found = [event for event in found if event["event"] not in OF_A_TRACE]
    spoken = [
        line
        for line in log.read_text(errors="replace").splitlines()
        if "forkguard: " in line or "libforkguard.so" in line
    ]
    of_suite = [event["event"] for event in found if told and event["pid"] == told.get("pid")]
    reasons = collections.Counter(event.get("reason") for event in found if event["event"] == "refused")
    return {
        "status": status,
        "told": told,
        "spoken": spoken,
        "log": str(log),
        "events": collections.Counter(event["event"] for event in found),
        "of_template": sum(event.get("way") == "template" for event in found),
        # Of the workers that the suite's own process forked.
        "accounted": of_suite.count("rewritten") + of_suite.count("refused"),
        "refused": reasons.most_common(),
    }


def state_of_session(session):
    """Who is there and waits for what, a line each, for the log of a run that does not end."""
    lines = [f"\nstill running in session {session}: pid, parent, state, waits in, command\n"]
    for place in sorted(Path("/proc").glob("[0-9]*"), key=lambda place: int(place.name)):
        try:
            state, parent, _, own = (place / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(own) == session:
                waits = (place / "wchan").read_text() or "-"
                command = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                lines.append(f"{place.name} {parent} {state} {waits} {command[:200]}\n")
        except OSError:
            # It ended meanwhile.
            continue
    return "".join(lines)


def counts(result):
    told = result["told"]
    if told is None:
        return f"no result, status {result['status']}"
    return f"{told['run']} / {told['failures']} / {told['errors']} / {told['skipped']}"


def differences(bare, guarded):
    """One line for each thing that is not the same."""
    found = []
    if bare["told"] is None or guarded["told"] is None:
        for way, result in (("bare", bare), ("guarded", guarded)):
            if result["told"] is None:
                found.append(f"{way}: no result (status {result['status']}), see {result['log']}")
        return found
    if bare["told"]["guarded"] or not guarded["told"]["guarded"]:
        found.append("the library was not loaded where it should be, or was where it should not")
    if bare["status"] != guarded["status"]:
        found.append(f"exit status {bare['status']} bare, {guarded['status']} guarded")
    ended = [result["told"]["ended"] for result in (bare, guarded)]
    for test in sorted(set(ended[0]) | set(ended[1])):
        hows = [", ".join(part.get(test, ["not run"])) for part in ended]
        if hows[0] != hows[1]:
            found.append(f"{test}: {hows[0]} bare, {hows[1]} guarded")
    for line in guarded["spoken"][:5]:
        found.append(f"the guard's name is in the output: {line.strip()}")
    return found


def not_rewritten(guarded, template=None):
    """One line for each reason why a run under `exec` does not show what it should."""
    found = [f"refused {count} times: {reason}" for reason, count in guarded["refused"]]
    if not guarded["events"]["rewritten"]:
        found.append("no fork was rewritten: this run shows nothing")
    if template is not None and (guarded["of_template"] > 0) != (template == "1"):
        found.append(f"{guarded['of_template']} workers came from a template, with FORKGUARD_TEMPLATE={template}")
    workers = guarded["told"]["workers"] if guarded["told"] else guarded["accounted"]
    if workers != guarded["accounted"]:
        found.append(f"the suite forked {workers} workers, and the guard saw {guarded['accounted']} of them")
    return found
