"""Proves that workers started by fork after CUDA are fresh processes under FORKGUARD_POLICY=exec. `... SCENARIO`

The parent initialises CUDA first. Every worker uses CUDA itself, which a forked one cannot (`cuda()` raises), and the
scenario then looks at what multiprocessing promises. It prints `SCENARIO ok`. There is no `__name__` guard on
purpose: a forked worker needs none.
"""
import ctypes
import multiprocessing
import os
import signal
import socket
import sys
import threading
from concurrent.futures import ProcessPoolExecutor

context = multiprocessing.get_context("fork")
driver = ctypes.CDLL("libcuda.so.1")
assert driver.cuInit(0) == 0
PARENT = os.getpid()


def cuda():
    """Uses CUDA here; raises in a forked process."""
    devices = ctypes.c_int()
    answers = driver.cuInit(0), driver.cuDeviceGetCount(ctypes.byref(devices))
    if answers != (0, 0):
        raise RuntimeError("CUDA answers %d and %d in pid %d" % (*answers, os.getpid()))
    return devices.value


class Point:
    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return type(self) is type(other) and self.x == other.x


SET_LATER = {"a": 1}
SET_LATER["b"] = Point(3)


def square(x):
    cuda()
    return x * x, SET_LATER["b"].x, Point(x), os.getppid()


def run(target, *arguments):
    process = context.Process(target=target, args=arguments)
    process.start()
    process.join(60)
    return process


def pool():
    with context.Pool(4) as workers:
        answers = workers.map(square, range(20))
    assert [answer[0] for answer in answers] == [i * i for i in range(20)]
    assert all(answer[1] == 3 and answer[3] == PARENT for answer in answers) and answers[5][2] == Point(5)


def pool_tasks():
    with context.Pool(2, maxtasksperchild=1) as workers:
        assert len(workers.map(square, range(6), chunksize=1)) == 6
        assert workers.apply_async(os.getpid).get(60) != PARENT


def executor():
    with ProcessPoolExecutor(3, mp_context=context) as workers:
        assert [answer[0] for answer in workers.map(square, range(8))] == [i * i for i in range(8)]


def queue():
    items = context.Queue()

    def produce(queue, count):
        cuda()
        for number in range(count):
            queue.put(number)
        queue.put(None)

    process = context.Process(target=produce, args=(items, 500))
    process.start()
    assert list(iter(items.get, None)) == list(range(500))
    process.join()
    assert process.exitcode == 0


def queues():
    work, results = context.JoinableQueue(3), context.SimpleQueue()

    def consume(work, results):
        cuda()
        for item in iter(work.get, None):
            results.put(item + 1)
            work.task_done()
        work.task_done()

    process = context.Process(target=consume, args=(work, results))
    process.start()
    for number in [*range(10), None]:
        work.put(number)
    work.join()
    assert [results.get() for _ in range(10)] == list(range(1, 11))
    process.join()


event, condition, lock, rlock = context.Event(), context.Condition(), context.Lock(), context.RLock()
value, array, semaphore, barrier = context.Value("i", 0), context.Array("d", 4), context.Semaphore(2), context.Barrier(3)
waiting = context.Semaphore(0)


def count_up():
    cuda()
    waiting.release()
    event.wait()
    for _ in range(300):
        with lock, rlock:
            value.value += 1
    with semaphore:
        array[0] = array[0] + 0.0
    barrier.wait(60)
    with condition:
        array[1] = 7
        condition.notify_all()


def locks():
    processes = [context.Process(target=count_up) for _ in range(2)]
    for process in processes:
        process.start()
    for _ in processes:
        assert waiting.acquire(timeout=60)
    assert value.value == 0
    event.set()
    barrier.wait(60)
    for process in processes:
        process.join()
    assert value.value == 600 and array[1] == 7 and all(process.exitcode == 0 for process in processes)


def manager():
    with context.Manager() as made:
        table, items = made.dict(), made.list()

        def fill(table, items, number):
            table[number] = cuda()
            items.append(number)

        processes = [context.Process(target=fill, args=(table, items, number)) for number in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert sorted(table) == sorted(items) == [0, 1, 2]


ours, theirs = context.Pipe()


def pipe_and_lambda():
    assert run(lambda end: end.send(cuda() > 0), theirs).exitcode == 0
    assert ours.recv()


def closure():
    number, seen = 5, []

    def inner(end):
        cuda()
        end.send((number, seen))

    run(inner, theirs)
    assert ours.recv() == (5, [])


class Worker(context.Process):
    def __init__(self, end):
        super().__init__(daemon=True, name="zed")
        self.end = end

    def run(self):
        cuda()
        parent = multiprocessing.parent_process().pid
        self.end.send((self.name, self.daemon, os.getpid(), parent, os.getppid()))
        sys.exit(7)


def subclass():
    worker = Worker(theirs)
    worker.start()
    assert ours.recv() == ("zed", True, worker.pid, PARENT, PARENT)
    worker.join()
    assert worker.exitcode == 7


def terminate():
    def wait(end):
        end.send(cuda() > 0)
        signal.pause()

    process = context.Process(target=wait, args=(theirs,))
    process.start()
    assert ours.recv() and process.is_alive()
    process.terminate()
    process.join()
    assert process.exitcode == -signal.SIGTERM


def exception():
    def fail():
        raise ValueError("expected traceback")

    assert run(fail).exitcode == 1


def nested():
    def start(end):
        cuda()
        answers = context.Queue()
        process = context.Process(target=lambda: answers.put((os.getppid(), cuda())))
        process.start()
        end.send((answers.get()[0], os.getpid()))
        process.join()

    run(start, theirs)
    parent, child = ours.recv()
    assert parent == child


inherited = context.Queue()


def nested_queue():
    """A worker forks one itself, before it uses CUDA: what it inherited must survive that fork, too."""

    def put_one():
        inherited.put(1)

    def put_two():
        inherited.put(2)
        process = context.Process(target=put_one)
        process.start()
        process.join()

    assert run(put_two).exitcode == 0
    assert {inherited.get(timeout=60), inherited.get(timeout=60)} == {1, 2}


def thread():
    def start():
        run(lambda end: end.send(cuda() > 0), theirs)

    starting = threading.Thread(target=start)
    starting.start()
    starting.join()
    assert ours.recv()


def shared_memory():
    from multiprocessing import shared_memory

    memory = shared_memory.SharedMemory(create=True, size=64)

    def write(name):
        cuda()
        other = shared_memory.SharedMemory(name)
        other.buf[0] = 9
        other.close()

    def write_inherited():
        cuda()
        memory.buf[1] = 8

    assert run(write, memory.name).exitcode == 0 and run(write_inherited).exitcode == 0
    assert bytes(memory.buf[:2]) == b"\x09\x08"
    memory.close()
    memory.unlink()


left, right = socket.socketpair()


def sockets():
    run(lambda: right.send(b"yo%d" % (cuda() > 0)))
    assert left.recv(3) == b"yo1"


reading, writing = os.pipe()


def raw_fd():
    run(lambda: os.write(writing, b"raw%d" % (cuda() > 0)))
    assert os.read(reading, 4) == b"raw1"


name = sys.argv[1]
globals()[name]()
print(name, "ok", flush=True)
