"""Where the figures of a run go: a line each on the terminal, and all of them into a JSON file, which is written anew
after each figure, so that a run that is ended before its time leaves what it had.

The file has the pairs and nothing that is computed from them; what they say is figures.py's to tell.
"""

import hashlib
import json
import os
import time
from pathlib import Path

import machine as machines
from figures import Aim, Row, number, signed

SCHEMA = 1


class Record:
    """The rows of one run of one script, by key."""

    def __init__(self, script, library, machine, path=None):
        self.path = path
        self.told = {
            "schema": SCHEMA,
            "script": script,
            "taken": time.strftime("%Y-%m-%d", time.gmtime()),
            "machine": machine,
            "library": {"bytes": library.stat().st_size, "sha256": hashlib.sha256(library.read_bytes()).hexdigest()},
        }
        self.rows = {}
        # Tables of more than two sides, as bench.d/starts.py prints them.
        self.tables = []

    def go_on(self):
        """Takes the rows that the file has of an earlier run with the same library on the same machine; what is
        measured now replaces its own. ValueError where the file is another's."""
        told, rows = read(self.path)
        was, now = told["machine"], self.told["machine"]
        if told["script"] != self.told["script"] or told["library"] != self.told["library"]:
            raise ValueError(f"{self.path} has figures of another script or library: take them anew")
        if {**was, "load": 0, "packages": {}} != {**now, "load": 0, "packages": {}}:
            raise ValueError(f"{self.path} has figures of another machine: take them anew")
        # What is told is the worse: at which load any of them were taken.
        now["load"] = max(was["load"], now["load"])
        now["packages"] = dict(was.get("packages", {}))
        self.rows = {row.key: row for row in rows}
        self.tables = told["tables"]

    def start(self):
        print(machines.sentence(self.told["machine"]))
        print(f"  {'':<54}{'bare':>9}{'guarded':>9}{'more':>9}{'times':>8}  {'95 % sure':<17}{'aim':<9}", flush=True)

    def keep(self, row):
        """Takes a row into the file as far as it is."""
        self.rows[row.key] = row
        self._write()

    def keep_table(self, table):
        """Takes a table into the file."""
        self.tables.append(table)
        self._write()

    def _write(self):
        if self.path is None:
            return
        # One line a row: a list of two thousand lines is nobody's to read.
        heads = [f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in self.told.items()]
        lists = {"rows": [_written(row) for row in self.rows.values()], "tables": self.tables}
        for name, members in lists.items():
            lines = ",".join(f"\n  {json.dumps(member, ensure_ascii=False)}" for member in members)
            heads.append(f'"{name}": [{lines}\n ]')
        beside = self.path.with_name(self.path.name + ".new")
        beside.write_text("{\n " + ",\n ".join(heads) + "\n}\n")
        os.replace(beside, self.path)

    def end(self, row):
        """Keeps a row that is finished, and prints it."""
        self.keep(row)
        name = f"{row.what}, {row.unit}"
        if not row.pairs:
            print(f"  {name:<54}  not measured: {row.note}", flush=True)
            return
        cells = number(row.bare()), number(row.guarded()), signed(row.more()), times(row.times())
        bounds = row.interval()
        sure = "" if bounds is None else f"{_bound(row, bounds[0])} … {_bound(row, bounds[1])}"
        aim = row.aim.text() if row.aim else ""
        print(
            f"  {name:<54}{cells[0]:>9}{cells[1]:>9}{cells[2]:>9}{cells[3]:>8}  {sure:<17}{aim:<9}{row.verdict()}",
            flush=True,
        )


def times(value):
    """A ratio: four digits say whether it is 0.998."""
    return "–" if value is None else f"{value:.4f}" if value < 2 else f"{value:.1f}"


def read(path):
    """(what is told of the run, its rows)"""
    told = json.loads(Path(path).read_text())
    if told.get("schema") != SCHEMA:
        raise ValueError(f"{path}: schema {told.get('schema')}, and not {SCHEMA}")
    rows = []
    for row in told["rows"]:
        aim = Aim(**row["aim"]) if row.get("aim") else None
        pairs = [tuple(pair) for pair in row["pairs"]]
        rows.append(Row(row["key"], row["what"], row["unit"], aim, pairs, row["note"], row["exact"],
                        row.get("twins", False)))
    return told, rows


def _bound(row, value):
    if row.aim is None or row.aim.kind == "more":
        return signed(value)
    return number(value) if row.aim.kind == "most" else times(value)


def _written(row):
    aim = {"kind": row.aim.kind, "limit": row.aim.limit} if row.aim else None
    pairs = [[None if value is None else float(f"{value:.6g}") for value in pair] for pair in row.pairs]
    head = {"key": row.key, "what": row.what, "unit": row.unit, "aim": aim, "note": row.note, "exact": row.exact}
    return {**head, **({"twins": True} if row.twins else {}), "pairs": pairs}

