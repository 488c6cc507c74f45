"""Proves that LitServe's server works when the program has initialised CUDA, with the real LitServe.

The inference worker is spawned; its answer uses CUDA where it is unpickled, as a CUDA tensor does: in the HTTP server,
which LitServe forks, as it does its manager. A client of its own process asks once and stops the server.
"""
import ctypes
import json
import multiprocessing
import os
import signal
import socket
import time
import urllib.error
import urllib.request

import litserve

driver = ctypes.CDLL("libcuda.so.1")


class OnGpu:
    """Stands for a tensor."""

    def __init__(self, numbers):
        self.numbers, self.code = numbers, driver.cuInit(0)

    def __reduce__(self):
        return OnGpu, (self.numbers,)

    def __iter__(self):
        yield from {"numbers": self.numbers, "cuInit": self.code}.items()


class Doubler(litserve.LitAPI):
    def setup(self, device):
        assert driver.cuInit(0) == 0

    def decode_request(self, request):
        return request["input"]

    def predict(self, numbers):
        return [number * 2 for number in numbers]

    def encode_response(self, output):
        return OnGpu(output)


class Server(litserve.LitServer):
    """Tells when it knows its processes: an interrupt that comes before leaves them running, and LitServe waiting.
    Nobody watches them, who at an interrupt now and then says that a worker has died.
    """

    started = multiprocessing.get_context("fork").Event()

    def _start_worker_monitoring(self, *_):
        self.started.set()


def ask(port, started):
    """Until the server answers: it starts in its own time."""
    body = json.dumps({"input": [1, 2, 3]}).encode()
    address = "http://127.0.0.1:%d/predict" % port
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                print(answer.read().decode(), flush=True)
                break
        except urllib.error.HTTPError as error:
            print(error, flush=True)
            break
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    started.wait(60)
    os.kill(os.getppid(), signal.SIGINT)


def main():
    assert driver.cuInit(0) == 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    client = multiprocessing.get_context("fork").Process(target=ask, args=(port, Server.started))
    client.start()
    server = Server(Doubler(), accelerator="cpu", devices=1, fast_queue=True)
    server.run(host="127.0.0.1", port=port, log_level="error", generate_client_file=False)
    client.join()
    print("ended", client.exitcode, flush=True)


if __name__ == "__main__":
    main()
