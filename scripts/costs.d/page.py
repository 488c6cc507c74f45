"""The tables of README's "What it costs", made of the files that the bench scripts wrote.

A row that misses its aim is shown with the reason found, and one without a reason is an error: no miss goes into the
page unexplained.
"""

import json

import machine
import record
from figures import number, signed

BEGIN, END = "<!-- costs: begin (scripts/costs makes this of scripts/data/costs) -->", "<!-- costs: end -->"
# In this order; each is there or not.
FILES = ["cpu.json", "instructions.json", "gpu.json", "starts.json"]
REASONS = "reasons.json"
# Of the times that bench.d/starts.py tells, those that a program waits for.
SHOWN = ("first line", "CUDA ready", "later epochs")


class Problem(Exception):
    """What is wrong with the figures or the page, in a sentence."""


def made(folder):
    """The text between the marks."""
    reasons = json.loads((folder / REASONS).read_text())
    runs = [record.read(folder / name) for name in FILES if (folder / name).is_file()]
    if not runs:
        raise Problem(f"there are no figures in {folder}")
    missed = {row.key for _, rows in runs for row in rows if row.verdict() == "MISSED"}
    if missed - set(reasons):
        unexplained = ", ".join(sorted(missed - set(reasons)))
        raise Problem(f"{REASONS} has to say why these miss their aim: {unexplained}")
    return "\n\n".join(_part(told, rows, reasons) for told, rows in runs)


def replaced(page, text):
    """The page with the text between its marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Problem(f"the page lacks its marks, {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def _part(told, rows, reasons):
    where = f"By `{told['script']}`, {told['taken']}, on {machine.sentence(told['machine'])}:"
    lines = _wrapped(where)
    if rows:
        heads = ["", "| | bare | guarded | median of the pairs (95 % sure) | aim | |", "|---|---|---|---|---|---|"]
        lines += [*heads, *[_line(row, reasons) for row in rows]]
    if told.get("tables"):
        lines += ["", *_ways(told["tables"])]
    return "\n".join(lines)


def _ways(tables):
    """One table of all: what is timed in rows, the ways to start a worker in columns, milliseconds; and exec, without
    a template, against spawn, than which it is to be no slower."""
    ways = list(tables[0]["ways"])
    lines = [f"| ms, medians | {' | '.join(ways)} | exec ÷ spawn |", "|---" * (len(ways) + 2) + "|"]
    for table in tables:
        for place, head in enumerate(table["heads"]):
            if head in SHOWN:
                took = {way: table["ways"][way][place] for way in ways}
                cells = [number(took[way]) for way in ways] + [_ratio(took.get("exec"), took.get("spawn"))]
                lines.append(f"| {table['title']}: {head} | {' | '.join(cells)} |")
    return lines


def _ratio(one, other):
    return f"× {one / other:.2f}" if one and other else "–"


def _line(row, reasons):
    if not row.pairs:
        return f"| {row.what} | | | | {_aim(row)} | not measured: {row.note} |"
    cells = [row.what, _with_unit(row.bare(), row.unit), _with_unit(row.guarded(), row.unit), _seen(row), _aim(row)]
    return f"| {' | '.join([*cells, _verdict(row, reasons)])} |"


def _with_unit(value, unit):
    return "" if value is None else f"{number(value)} {unit}"


def _seen(row):
    bounds = row.interval()
    if row.alone():
        return ""
    if row.aim is None or row.aim.kind == "more":
        low, high = (signed(bound) for bound in bounds)
        middle = signed(row.more())
    else:
        low, high = (record.times(bound) for bound in bounds)
        middle = f"× {record.times(row.times())}"
    return middle if low == high else f"{middle} ({low} … {high})"


def _aim(row):
    return row.aim.text() if row.aim else ""


def _verdict(row, reasons):
    verdict = row.verdict()
    if verdict == "MISSED":
        return f"missed: {reasons[row.key]}"
    return verdict or row.note


def _wrapped(text, width=120):
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*lines, line]
