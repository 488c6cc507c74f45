"""Runs one test module of CPython's own suite and writes down how every single test ended.

Executed by the Python under test, once bare and once under the guard: `suite.py MODULE RESULT.json`. It imports
nothing that the Python does not bring, and starts nothing before the tests do.
"""

import json
import os
import sys
import unittest

# What the suites need to be complete, but for the network, audio and large files.
RESOURCES = ["cpu", "subprocess", "walltime", "decimal"]

# In seconds; a pool of threads that is terminated at the wrong moment sits through it (test_terminate).
LONG_TIMEOUT = 60

# Some builds of Python are installed without these; their tests are there, in _test_multiprocessing.
REBUILT = """\
from test import _test_multiprocessing
_test_multiprocessing.install_tests_in_module_dict(globals(), "{method}")
"""


class Ledger(unittest.TextTestResult):
    """How each test ended; several entries for a test are its subtests'."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.ended = {}

    def note(self, test, how):
        self.ended.setdefault(test.id(), []).append(how)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.note(test, "passed")

    def addError(self, test, error):
        super().addError(test, error)
        self.note(test, "error")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.note(test, "failed")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.note(test, "skipped")

    def addExpectedFailure(self, test, error):
        super().addExpectedFailure(test, error)
        self.note(test, "failed as expected")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.note(test, "passed unexpectedly")

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            failed = issubclass(error[0], test.failureException)
            self.note(subtest, "failed" if failed else "error")


def module_name(name):
    """The name to import, after making the module where this Python lacks it."""
    import importlib.util

    if importlib.util.find_spec("test." + name) is not None:
        return "test." + name
    method = name.rpartition("_")[2]
    rebuilt = "rebuilt_" + name
    # In the directory of this run, where a spawned child finds it too.
    with open(rebuilt + ".py", "w") as file:
        file.write(REBUILT.format(method=method))
    sys.path.insert(0, os.getcwd())
    return rebuilt


# Each shuts an executor down while a task fails to be pickled.
DEADLOCKS = (
    "ProcessPoolShutdownTest.test_processes_terminate",
    "ExecutorDeadlockTest.test_shutdown_deadlock_pickle",
)


def hangs_by_itself(test):
    """Why a test is left out: this Python hangs in it at random, with or without the guard."""
    if test.id().endswith(DEADLOCKS):
        from concurrent.futures.process import _SafeQueue

        # The executor's threads wait for each other, python/cpython#125451; mended where the queue needs no lock.
        if "shutdown_lock" in _SafeQueue.__init__.__code__.co_varnames:
            return "the executor deadlocks at random, python/cpython#125451"
    return None


def without_hanging(tests, left_out):
    """The same tests but for those that this Python hangs in, which are noted with the reason."""
    kept = unittest.TestSuite()
    for test in tests:
        if isinstance(test, unittest.TestSuite):
            kept.addTest(without_hanging(test, left_out))
        elif hangs_by_itself(test):
            left_out[test.id()] = hangs_by_itself(test)
        else:
            kept.addTest(test)
    return kept


def main(name, result_path, more=()):
    """`more` goes into the result as it is when the tests have ended."""
    from test import support

    support.use_resources = RESOURCES
    support.verbose = 1
    if hasattr(support, "LONG_TIMEOUT"):
        support.LONG_TIMEOUT = LONG_TIMEOUT
    with open("/proc/self/maps") as maps:
        guarded = "libforkguard.so" in maps.read()
    left_out = {}
    tests = without_hanging(unittest.defaultTestLoader.loadTestsFromName(module_name(name)), left_out)
    ledger = unittest.TextTestRunner(
        stream=sys.stdout, verbosity=2, resultclass=Ledger
    ).run(tests)
    told = {
        "guarded": guarded,
        "run": ledger.testsRun,
        "failures": len(ledger.failures) + len(ledger.unexpectedSuccesses),
        "errors": len(ledger.errors),
        "skipped": len(ledger.skipped),
        "ended": {test: sorted(how) for test, how in ledger.ended.items()},
        "left_out": left_out,
        **dict(more),
    }
    with open(result_path, "w") as file:
        json.dump(told, file)
    sys.exit(0 if ledger.wasSuccessful() else 1)


# The tests start processes that import this file again under another name.
if __name__ == "__main__":
    main(*sys.argv[1:])
