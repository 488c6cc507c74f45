"""Proves that a program's workers get its `__main__`, whatever way it was started. `exec_ways.py WAY`

Starts exec_program.py as a script, with `-c`, `-m`, from standard input, typed into an interpreter by a pipe or on a
terminal, and prints what it printed of its workers, and what it said beside that.
"""
import os
import pty
import re
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
path = os.path.join(here, "exec_program.py")
with open(path) as file:
    text = file.read()


def run(*arguments, **how):
    ended = subprocess.run(
        [sys.executable, "-B", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        **how,
    )
    return ended.stdout, ended.stderr


def script():
    return run(path, "an argument")


def command():
    return run("-c", text, "an argument")


def module():
    return run("-m", "exec_program", "an argument", cwd=here)


def standard_input():
    return run("-", "an argument", input=text)


def typed():
    said, prompts = run("-i", "-q", input=text)
    return said, re.sub(r"(>>> |\.\.\. )+\n?", "", prompts)


def terminal():
    """What the terminal echoes is no word of the guard's either."""
    shown = b""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="dumb", PYTHON_BASIC_REPL="1")
        os.execv(sys.executable, [sys.executable, "-B", "-q"])
    lines = [*text.splitlines(), "", "raise SystemExit", ""]
    try:
        while True:
            shown += os.read(fd, 65536)
            if lines and shown.endswith((b">>> ", b"... ")):
                os.write(fd, lines.pop(0).encode() + b"\n")
    except OSError:
        pass
    os.waitpid(pid, 0)
    shown = shown.decode().replace("\r", "")
    return shown, "".join(line + "\n" for line in shown.splitlines() if line.startswith(("forkguard", "Traceback")))


output, said = globals()[sys.argv[1]]()
sys.stderr.write(said)
print(next((line for line in output.splitlines() if line.startswith("saw ")), output), flush=True)
