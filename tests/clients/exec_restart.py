"""Proves that a program is started again as it was: says its arguments and folder, initialises CUDA, and has a child
that uses CUDA, in another folder. The second run says that it is one."""
import ctypes
import json
import os
import sys

driver = ctypes.CDLL("libcuda.so.1")
if os.environ.get("FORKGUARD_RESTARTED") == "1":
    assert [sys.executable, sys.prefix, sys.flags.dont_write_bytecode] == json.loads(os.environ["SAME"])
    assert os.getppid() == int(os.environ["FORKGUARD_PARENT_PID"]) == int(os.environ["FIRST"])
    print("restarted", sys.argv[1:], "in", os.getcwd() + ", init", driver.cuInit(0), flush=True)
    sys.exit(7)

os.chdir("/")
print("first", sys.argv[1:], "in", os.getcwd(), flush=True)
assert driver.cuInit(0) == 0
os.environ["FIRST"] = str(os.getpid())
os.environ["SAME"] = json.dumps([sys.executable, sys.prefix, sys.flags.dont_write_bytecode])
child = os.fork()
if child == 0:
    os.chdir("/usr")
    print("went on", driver.cuInit(0), flush=True)
    os._exit(1)
print("ended", os.WEXITSTATUS(os.waitpid(child, 0)[1]))
