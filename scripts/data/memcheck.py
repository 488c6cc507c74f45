"""Prints those errors in valgrind's logs that have a frame of the guard's in them, once each; ends with 1 if there are
any. For scripts/check-valgrind."""
import re
import sys

PREFIX = re.compile(r"==\d+== ?")
FRAME = re.compile(r"\s+(?:at|by) 0x[0-9A-F]+: (.*)")
# What a process that ends by a signal says of itself is no error of memory.
ENDED = "Process terminating"


def errors(path):
    paragraph = []
    with open(path, errors="replace") as log:
        for line in log:
            # What valgrind says of itself.
            if line.startswith("--"):
                continue
            text = PREFIX.sub("", line.rstrip("\n"), count=1)
            if text.strip():
                paragraph.append(text)
                continue
            yield paragraph
            paragraph = []
    yield paragraph


def main():
    seen = set()
    for path in sys.argv[1:]:
        for paragraph in errors(path):
            frames = [match[1] for line in paragraph if (match := FRAME.match(line))]
            ours = any("libforkguard" in frame or "forkguard::" in frame for frame in frames)
            if not ours or ENDED in paragraph[0]:
                continue
            about = (paragraph[0], *frames[:4])
            if about not in seen:
                seen.add(about)
                print("\n".join(paragraph), "\n", sep="")
    return 1 if seen else 0


sys.exit(main())
