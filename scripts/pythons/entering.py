"""Programs in a root directory of another system, of those that scripts/roots makes.

What is mounted for it is in a mount namespace of its own, so that it goes with the program.
"""

# In there the same paths lead to the same files, and nothing of the directory itself is written but for an empty /mnt.
ENTER = r"""set -e
root=$1
shift
# Not every system has one.
mkdir -p "$root/mnt"
mount --bind "$root" "$root"
mount --bind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 none "$root/tmp"
mount -t tmpfs none "$root/mnt"
mkdir "$root/mnt/scripts" "$root/mnt/tests" "$root/mnt/given"
mount --bind "$1/scripts" "$root/mnt/scripts"
mount --bind "$1/tests" "$root/mnt/tests"
mount --bind "$2" "$root/mnt/given"
shift 2
exec chroot "$root" /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"
"""


def words(root, repository, given, *command):
    """What runs `command` in `root`, where the repository's scripts and tests are in /mnt and the folder `given` is
    /mnt/given. Takes root."""
    return ["unshare", "--mount", "sh", "-c", ENTER, "sh", *map(str, (root, repository, given, *command))]
