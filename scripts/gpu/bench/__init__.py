"""What the guard costs programs on a GPU: see command.py."""
