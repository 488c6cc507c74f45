"""What a run printed, as the judges compare it."""

import re
from collections import Counter


def masked_lines(text):
    """Lines with all that differs between two runs masked: numbers, addresses, temporary names."""
    masked = re.sub(r"0x[0-9a-fA-F]+", "0xN", text)
    masked = re.sub(r"\d+([.:]\d+)*", "N", masked)
    masked = re.sub(r"/tmp/\S+", "/tmp/X", masked)
    return Counter(line.rstrip() for line in masked.splitlines() if line.strip())


def broken_promises(case, seen, shown):
    """Where the program did not end as it should, or did not print what is to be shown: regular expressions."""
    problems = []
    if seen.timed_out:
        problems.append("the program did not end in time")
    elif seen.code != case.code:
        problems.append(f"ended with {seen.code}, expected {case.code}")
    for form in shown:
        if not re.search(form, seen.stdout, re.M):
            problems.append(f"its output does not show /{form}/")
    return problems
