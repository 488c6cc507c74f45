"""Runs the program in its first argument, as its own `__main__`."""
import sys

exec(compile(sys.argv[1], "program", "exec"))
