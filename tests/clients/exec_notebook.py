"""A notebook, by a Jupyter kernel of its own: the first cell initialises CUDA, the others have workers use it that run
what cells define. Prints what the cells print.
"""

import os
import sys
import tempfile

from jupyter_client.manager import start_new_kernel

CELLS = [
    """
import ctypes, multiprocessing
from concurrent.futures import ProcessPoolExecutor
driver = ctypes.CDLL("libcuda.so.1")
fork = multiprocessing.get_context("fork")
print("parent", driver.cuInit(0))
""",
    """
scale = 3

def work(number):
    return number * scale, driver.cuInit(0)

class Thing:
    def __init__(self, name):
        self.name = name

    def tell(self, answers):
        answers.put((self.name, driver.cuInit(0)))
""",
    """
answers = fork.SimpleQueue()
process = fork.Process(target=Thing("seven").tell, args=(answers,))
process.start()
process.join()
print("process", process.exitcode, answers.get() if process.exitcode == 0 else "")
""",
]
# A Pool starts workers for those that end, for ever.
IN_POOLS = [
    """
with fork.Pool(2) as pool:
    print("pool", pool.map(work, range(3)))
""",
    """
with ProcessPoolExecutor(1, mp_context=fork) as executor:
    print("executor", list(executor.map(work, [5])))
""",
]


def printed(message):
    if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
        print(message["content"]["text"], end="", flush=True)
    elif message["msg_type"] == "error":
        print("\n".join(message["content"]["traceback"]), flush=True)


def main():
    cells = CELLS + (IN_POOLS if sys.argv[1:] == ["pools"] else [])
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(IPYTHONDIR=home, JUPYTER_RUNTIME_DIR=home, JUPYTER_DATA_DIR=home)
        manager, client = start_new_kernel(kernel_name="python3")
        try:
            for cell in cells:
                client.execute_interactive(cell.strip(), output_hook=printed)
        finally:
            client.stop_channels()
            manager.shutdown_kernel()


main()
