"""What the Pythons that are looked at need beside themselves, in a folder that can be shown to any of them."""

import subprocess
import sys


def cloudpickle_in(folder):
    """`folder`, which now has cloudpickle. That is Python and nothing else, so one copy is for all versions."""
    if not (folder / "cloudpickle").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]
        subprocess.run([*pip, "--only-binary=:all:", "--target", str(folder), "cloudpickle==3.*"], check=True)
    return folder
