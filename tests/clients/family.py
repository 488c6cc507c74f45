"""Proves what `forkguard ps` shows of a family of processes. `family.py SCENARIO COMMAND [ARGUMENT]`

The process that runs this initialises CUDA and makes the others; when each has come to where the scenario wants it, the
command is run and what it says is printed, a line a process, with the names that the scenario gives them:
`NAME STATE, under NAME, VIOLATIONS, at FUNCTION`. It is alone in its pid namespace.

    tree        a child, and another one that has a child
    orphans     a child whose parent, itself a child, has ended
    used        a child that uses CUDA (what that is, the policy says) and one that does not
    ended       three children use CUDA, one after the other, and end for it
    context     the process has a context
    closed      a child that has closed all its descriptors, and a process of which nobody has one open
    many        300 children
    renewed     300 children, one after the other, and then one that stays
    onlooker    a process that has the record open to read it
    elsewhere   children forked from other lines of one function, and from functions that stand where others stood
    namespace   a child that is process 1 of a pid namespace of its own, like the process that initialised
    clone       a child made by a bare system call
    stopped     a child that is stopped
    hostile     processes with files of the record's name that are none, or whose texts are meant for a terminal
    foreign     the command is run by another user
    namespaced  the command is run in a user namespace of its own
    native      a program without Python, which the argument names, and its child
    watched     a child ends while the command watches; its reader goes away
    table       the table of `tree` and `used` together
"""
import ctypes
import json
import os
import signal
import subprocess
import sys

SCENARIO, COMMAND = sys.argv[1:3]
CLONE_NEWPID = 0x20000000
RECORD = "/memfd:forkguard (deleted)"
driver = ctypes.CDLL("libcuda.so.1")
libc = ctypes.CDLL(None, use_errno=True)
names = {os.getpid(): "parent"}
started = []


def initialise():
    return driver.cuInit(0)  # INIT


def use():
    devices = ctypes.c_int()
    return driver.cuDeviceGetCount(ctypes.byref(devices))


def fork(name, work, make=os.fork):
    """A child that does the work, says so, and stays until it is killed; `work` may give names of its own children."""
    ready, tell = os.pipe()
    pid = make()  # FORK
    if pid == 0:
        os.write(tell, json.dumps(work() or {}).encode() + b"\n")
        while True:
            signal.pause()
    os.close(tell)
    names[pid] = name
    started.append(pid)
    with os.fdopen(ready) as reader:
        names.update((int(pid), name) for pid, name in json.loads(reader.readline() or "{}").items())
    return pid


def nothing():
    pass


def with_child(name):
    def work():
        pid = fork(name, nothing)
        return {pid: name}
    return work


def run(*arguments, before=(), **how):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LD_", "FORKGUARD_"))}
    command = [*before, COMMAND, "ps", *arguments]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True, **how).stdout


def show(**how):
    seen = json.loads(run("--json", **how))
    for entry in sorted(seen["processes"], key=lambda entry: names.get(entry["pid"], "?")):
        place = entry.get("forked", entry.get("initialised", {})).get("place") or ["-"]
        print("%s %s, under %s, %d, at %s" % (
            names.get(entry["pid"], "?"), entry["state"], names.get(entry["parent"]), entry["violations"],
            place[0].split()[-1]))
    return seen


def table():
    text = run()
    print(text, end="")


def find_record():
    for fd in os.listdir("/proc/self/fd"):
        try:
            if os.readlink("/proc/self/fd/" + fd) == RECORD:
                return int(fd)
        except OSError:
            pass
    return None


def memfd(content):
    fd = os.memfd_create("forkguard")
    os.write(fd, content)
    return fd


def hostile():
    with open("/proc/self/fd/%d" % find_record(), "rb") as file:
        record = file.read()

    def with_file(content):
        def work():
            os.close(find_record())
            memfd(content)
        return work

    noise = bytes((i * 7919 >> 3) & 255 for i in range(200000))
    escapes = record.replace(b"cuInit", b"\x1b[2J\x07\n").replace(b"family.py", b"\x1b]0;x\x07xyz")
    escapes = escapes.replace(b"abort", b"\x1b[31m")
    assert escapes != record and len(escapes) == len(record)
    fork("noise", with_file(noise))
    fork("short", with_file(record[:100]))
    fork("empty", with_file(b""))
    fork("random", with_file(record[:20] + noise))
    with_file(escapes)()


def clone():
    return libc.syscall({"x86_64": 56, "aarch64": 220}[os.uname().machine], signal.SIGCHLD, 0, 0, 0, 0)


def into_namespace():
    if libc.unshare(CLONE_NEWPID) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    return os.fork()


def watch():
    child = fork("child", nothing)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LD_", "FORKGUARD_"))}
    command = subprocess.Popen([COMMAND, "ps", "--json", "--watch", "0.1"], env=environment, stdout=subprocess.PIPE)
    alive = [entry["pid"] for entry in json.loads(command.stdout.readline())["processes"]]
    print("seen", [names[pid] for pid in alive])
    os.kill(child, signal.SIGKILL)
    while child in alive:
        alive = [entry["pid"] for entry in json.loads(command.stdout.readline())["processes"]]
    print("then", [names[pid] for pid in alive])
    command.stdout.close()
    print("ended with", command.wait())


def orphan():
    """The one in the middle ends, and its child goes on."""
    middle = fork("middle", with_child("orphan"))
    started.remove(middle)
    os.kill(middle, signal.SIGKILL)
    os.waitpid(middle, 0)


def fork_from(make):
    """A child that stays, forked where `make` forks."""
    pid = make()
    if pid == 0:
        while True:
            signal.pause()
    started.append(pid)
    names[pid] = "child%d" % len(started)


def by_turns(turn):
    if turn % 2:
        pid = os.fork()  # ODD
    else:
        pid = os.fork()  # EVEN
    return pid


def elsewhere():
    for turn in range(4):
        fork_from(lambda: by_turns(turn))
    for number in range(4):
        # All gone before the next one is made, which finds the same memory free.
        space = {"fork": os.fork}
        exec(compile("\n" * number + "def at():\n    return fork()", "place%d.py" % number, "exec"), space)
        fork_from(space["at"])
        del space
    for entry in json.loads(run("--json"))["processes"]:
        if "forked" in entry:
            print(names[entry["pid"]], os.path.basename(entry["forked"]["place"][0]))


def main():
    if SCENARIO == "other":
        # Nobody initialises anything.
        table()
        return
    assert initialise() == 0
    if SCENARIO == "tree":
        fork("first", nothing)
        fork("second", with_child("third"))
        seen = show()
        by = seen["processes"][0]["initialised"]
        print(by["function"], by["library"], by["thread"], by["guard"], os.path.basename(by["place"][0]))
    elif SCENARIO == "orphans":
        orphan()
        show()
    elif SCENARIO == "used":
        fork("idle", nothing)
        fork("user", lambda: print("child", use(), flush=True))
        show()
    elif SCENARIO == "ended":
        for _ in range(3):
            fork("user", lambda: use() and None)
            os.waitpid(started.pop(), 0)
        seen = show()
        print("of ended", seen["processes"][0]["violations_of_ended"])
        table()
    elif SCENARIO == "context":
        print("context", show()["processes"][0]["context"])
        assert driver.cuCtxCreate_v2(ctypes.byref(ctypes.c_void_p()), 0, 0) == 0
        print("context", show()["processes"][0]["context"])
    elif SCENARIO == "closed":
        os.closerange(3, 2048)
        fork("child", lambda: os.closerange(3, find_record() or 3))
        assert find_record() is None
        show()
    elif SCENARIO == "many":
        for i in range(300):
            fork("child%03d" % i, nothing)
        seen = show()
        print("known", sum(entry["state"] == "unused" for entry in seen["processes"]))
    elif SCENARIO == "renewed":
        for i in range(300):
            pid = fork("child", nothing)
            started.remove(pid)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            del names[pid]
        fork("last", nothing)
        show()
    elif SCENARIO == "onlooker":
        record = os.open("/proc/self/fd/%d" % find_record(), os.O_RDONLY)
        onlooker = subprocess.Popen(["cat"], env={}, stdin=subprocess.PIPE, pass_fds=[record])
        os.close(record)
        names[onlooker.pid] = "onlooker"
        show()
        onlooker.communicate()
    elif SCENARIO == "elsewhere":
        elsewhere()
    elif SCENARIO == "namespace":
        assert os.getpid() == 1
        fork("inner", lambda: use() and None, into_namespace)
        show()
    elif SCENARIO == "clone":
        fork("silent", nothing, clone)
        fork("user", lambda: use() and None, clone)
        show()
    elif SCENARIO == "stopped":
        os.kill(fork("child", nothing), signal.SIGSTOP)
        show()
    elif SCENARIO == "hostile":
        hostile()
        for entry in json.loads(run("--json"))["processes"]:
            print(names[entry["pid"]], entry["state"], entry.get("reason"))
        text = run()
        print("clean", all(letter == "\n" or letter.isprintable() for letter in text))
        print("marked", "\N{REPLACEMENT CHARACTER}[2J" in text)
    elif SCENARIO == "foreign":
        seen = show(user=65534, group=65534, extra_groups=[])
        print("not looked at", seen["not_looked_at"] > 0)
        print(run(user=65534, group=65534, extra_groups=[]).splitlines()[-1].split(" ", 1)[1])
    elif SCENARIO == "namespaced":
        before = ["unshare", "--map-root-user"]
        print("not looked at", json.loads(run("--json", before=before))["not_looked_at"] > 0)
        print(run(before=before).splitlines()[-1].split(" ", 1)[1])
    elif SCENARIO == "native":
        program = subprocess.Popen([sys.argv[3]], stdout=subprocess.PIPE)
        started.append(program.pid)
        started.append(int(program.stdout.readline().split()[1]))
        names[started[0]], names[started[1]] = "program", "child"
        by = show()["processes"][1]["initialised"]
        print("through", by["library"])
    elif SCENARIO == "watched":
        watch()
    elif SCENARIO == "table":
        fork("idle", nothing)
        fork("user", lambda: use() and None)
        fork("second", with_child("third"))
        table()
    else:
        raise SystemExit("no scenario is called " + SCENARIO)


try:
    main()
finally:
    if names.get(os.getpid()) == "parent":
        for pid in started:
            os.kill(pid, signal.SIGKILL)
