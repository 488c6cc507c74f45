"""Proves that workers have the modules that no import finds: loaded by a path, as plugins are, or made at run time; and
that modules in an archive are the program's own.

Prints what the workers of a process and of a pool see: the same lines with plain forks and under FORKGUARD_POLICY=exec,
but for the number that is what the driver answers there.
"""
import ctypes
import importlib
import importlib.util
import multiprocessing
import os
import sys
import tempfile
import types
import zipfile

context = multiprocessing.get_context("fork")
driver = ctypes.CDLL("libcuda.so.1")
assert driver.cuInit(0) == 0
PLUGIN = """
known = []
scale = 1


class Plugin:
    made = 0

    def run(self, x):
        known.append(x)
        return known, self.made, scale * x


def scaled(x):
    return scale * x
"""


def load(name, path, keep):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    if keep:
        sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


with tempfile.TemporaryDirectory() as directory:
    path = os.path.join(directory, "file.py")
    with open(path, "w") as file:
        file.write(PLUGIN)
    listed, unlisted = load("a_plugin", path, True), load("another_plugin", path, False)
    made = sys.modules["made_up"] = types.ModuleType("made_up")
    exec(PLUGIN, vars(made))
    with zipfile.ZipFile(path + ".zip", "w") as archive:
        archive.writestr("in_archive.py", PLUGIN)
    sys.path.append(path + ".zip")
    archived = importlib.import_module("in_archive")
    modules = listed, unlisted, made, archived
    for number, module in enumerate(modules):
        module.scale, module.Plugin.made = number + 2, 7
        module.known.append("before")

    def work():
        print([module.Plugin().run(1) for module in modules])
        print([function(2) for function in (listed.scaled, made.scaled)])
        print(driver.cuInit(0), flush=True)

    tasks = (work, ()), (listed.scaled, (1,)), (listed.Plugin().run, (1,)), (made.Plugin().run, (1,))
    for target, arguments in tasks:
        worker = context.Process(target=target, args=arguments)
        worker.start()
        worker.join(60)
        print(worker.exitcode, flush=True)
    with context.Pool(1) as pool:
        print(pool.map(listed.scaled, [1, 2]), type(pool.apply(listed.Plugin)) is listed.Plugin)
