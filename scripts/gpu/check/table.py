"""Prints the rows: aligned for a terminal, Markdown for a note, JSON for a machine."""

HEAD = ("case", "policy", "expectation", "result", "note")
# Of the cases that have a Markdown table of their own, where time matters.
TIMED = ("case", "policy", "expectation", "result", "seconds", "note")
TITLES = {"revive": "`revive`: the child has CUDA of its own", "cpu": "`cpu`: CUDA is absent in the child"}


def aligned(rows):
    """Rows as text, each column as wide as it must be; the note is last and may be long."""
    cells = [HEAD, *[_cells(row) for row in rows]]
    widths = [max(len(cell[i]) for cell in cells) for i in range(len(HEAD) - 1)]
    return "\n".join(
        "  ".join([*[text.ljust(width) for text, width in zip(cell, widths)], cell[-1]]).rstrip()
        for cell in cells
    )


def markdown(rows, title):
    """The same as Markdown: one table, and one each for the groups in `TITLES`, with the seconds of each run."""
    rest = [row for row in rows if row["group"] not in TITLES]
    lines = [title, "", *(_table(rest, HEAD) if rest else [])]
    for group, heading in TITLES.items():
        some = [row for row in rows if row["group"] == group]
        if some:
            lines += ["", heading, "", *_table(some, TIMED)]
    return "\n".join([*lines, "", summary(rows), ""])


def _table(rows, head):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in rows:
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in _cells(row, head)) + " |")
    return lines


def summary(rows):
    """`N passed, N failed`, and what could not be run, which is not a pass."""
    count = {word: sum(row["result"] == word for row in rows) for word in ("ok", "FAIL", "not run")}
    text = f"{count['ok']} passed, {count['FAIL']} failed"
    return text + (f", {count['not run']} not run" if count["not run"] else "")


def _cells(row, head=HEAD):
    return tuple(str(row[key]) for key in head)
