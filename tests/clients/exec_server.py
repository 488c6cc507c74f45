"""Proves what becomes of a Python server that makes its workers by os.fork: `exec_server.py FD` listens at descriptor
FD, initialises CUDA and forks two workers, and is a client of its own; `exec_server.py FD worker` is such a worker.
A worker initialises CUDA before it takes requests."""
import ctypes
import os
import socket
import sys

driver = ctypes.CDLL("libcuda.so.1")


def work(listener, how):
    init = driver.cuInit(0)
    while True:
        connection, _ = listener.accept()
        with connection:
            if connection.recv(16) == b"stop":
                os._exit(4)
            connection.sendall(b"%s init %d" % (how, init))


def ask(address, request):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        connection.sendall(request)
        return connection.recv(64).decode()


def main():
    number = int(sys.argv[1])
    if sys.argv[2:] == ["worker"]:
        work(socket.socket(fileno=number), b"command")
    first = socket.socket(socket.AF_UNIX)
    first.bind("")  # the kernel chooses an abstract name
    first.listen(8)
    # As Python has it: closed on exec.
    os.dup2(first.fileno(), number, inheritable=False)
    first.close()
    listener = socket.socket(fileno=number)
    assert driver.cuInit(0) == 0
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            work(listener, b"forked")
        children.append(child)
    address = listener.getsockname()
    listener.close()
    for _ in range(4):
        print(ask(address, b"count"), flush=True)
    for child in children:
        ask(address, b"stop")
    for child in children:
        print("ended", os.WEXITSTATUS(os.waitpid(child, 0)[1]))


main()
