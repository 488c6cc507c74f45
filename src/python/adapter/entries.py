"""What the library calls."""
from _forkguard.recognise import on_fork  # noqa: F401
from _forkguard.template import on_initialised  # noqa: F401
