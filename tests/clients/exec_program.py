"""A program without a main guard, for exec_ways.py, which also types it in: blank lines after blocks, none in them."""
import ctypes, multiprocessing, os, sys

driver = ctypes.CDLL("libcuda.so.1")
initialised = driver.cuInit(0)
context = multiprocessing.get_context("fork")

class Counter:
    count = 0
    def add(self, by):
        self.count += by
        return self.count

counter = Counter()
held = [counter.add(40), counter.add(1)]
table = {"key": counter}

def work(number):
    return table["key"] is counter, counter.add(number), held, __name__, driver.cuInit(0)

def ask(look):
    ours, theirs = context.Pipe()
    process = context.Process(target=lambda: theirs.send(look()))
    process.start()
    answer = ours.recv()
    process.join()
    return answer, process.exitcode

one = ask(lambda: work(1)[:4])
main = ask(lambda: (sys.argv, sys.flags.no_site, [name for name in sys.path if "clients" in name] == []))
pool = context.Pool(2)
two = pool.map(work, [1])
pool.terminate()

print("\nsaw", one, main, two[0][:4], "init", two[0][4], flush=True)
