# The second of three files that import one another.
from . import gpu
