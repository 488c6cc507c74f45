"""Prints those errors in valgrind's logs that have a frame of the guard's in them, once each; ends with 1 if there are
any. For scripts/check-valgrind."""
import re
import sys

PREFIX = re.compile(r"==\d+== ?")
FRAME = re.compile(r"\s+(?:at|by) 0x[0-9A-F]+: (.*)")
THREAD = re.compile(r"Thread \d+( .*)?:")
# What a process that ends by a signal says of itself is no error of memory, nor is where its threads were when valgrind
# gave up: it cannot go on after an execve that failed.
ENDED = re.compile(r"Process terminating|Thread \d+: status = ")
# Valgrind did not begin, and nothing was looked at.
FATAL = "FATAL: "
# Errors that are meant, and that no suppression tells apart from others of their kind: what it is, and in what.
MEANT = (
    # A program's data for its entry need not be where the program says: the kernel finds that out.
    ("Syscall param pwrite64(buf) points to unaddressable byte(s)", "payload::Payload::put"),
)


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


def is_meant(what, frames):
    return any(what == error and any(place in frame for frame in frames[:2]) for error, place in MEANT)


def main():
    seen = set()
    for path in sys.argv[1:]:
        for paragraph in errors(path):
            if paragraph and FATAL in paragraph[0]:
                sys.exit("\n".join(paragraph))
            # Not the program's first thread.
            if paragraph and THREAD.fullmatch(paragraph[0]):
                paragraph = paragraph[1:]
            frames = [match[1] for line in paragraph if (match := FRAME.match(line))]
            ours = any("libforkguard" in frame or "forkguard::" in frame for frame in frames)
            if not ours or ENDED.match(paragraph[0]) or is_meant(paragraph[0], frames):
                continue
            about = (paragraph[0], *frames[:4])
            if about not in seen:
                seen.add(about)
                print("\n".join(paragraph), "\n", sep="")
    return 1 if seen else 0


sys.exit(main())
