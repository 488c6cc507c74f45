"""LitServe itself, on the GPU: the inference worker is spawned, the HTTP server and LitServe's
manager are forked from the main process, and only the worker uses CUDA.

`clean` and `asked` (the script asks `is_available()` first) are both right: no forked process
touches the GPU. `array`: asked, and the worker's answer is a CuPy array, which LitServe's manager and
the HTTP server, both forked, receive; `array driver`: the same, but the parent calls cuInit and asks nobody.
(A torch tensor would go by CUDA IPC, and torch does not pass on what it received so, with any start
method: "Attempted to send CUDA tensor received from another process".)
A client of its own process asks once and stops the server.
"""

import ctypes
import json
import multiprocessing
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request

import litserve
import torch
from outcome import PATIENCE, say


class Doubler(litserve.LitAPI):
    def setup(self, device):
        self.device = device
        self.weight = torch.full((4,), 2.0, device=device)

    def decode_request(self, request):
        return torch.tensor(request["input"], device=self.device)

    def predict(self, values):
        return values * self.weight

    def encode_response(self, output):
        return {"output": output.tolist(), "device": output.device.type}


class Answer:
    """What FastAPI can make JSON of, once it is unpickled in the HTTP server."""

    def __init__(self, array):
        self.array = array

    def __iter__(self):
        yield "output", self.array.tolist()
        yield "device", "cuda" if self.array.device.id >= 0 else "none"


class ArrayDoubler(Doubler):
    def encode_response(self, output):
        import cupy

        return Answer(cupy.from_dlpack(output))


def ask(port):
    """Asks until the server answers (it starts in its own time), then stops it."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/predict",
        json.dumps({"input": [1.0, 2.0, 3.0, 4.0]}).encode(),
        {"Content-Type": "application/json"},
    )
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                say(f"answer: {json.load(answer)}")
            break
        except urllib.error.HTTPError as error:
            say(f"answer: {error}")
            break
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    os.kill(os.getppid(), signal.SIGINT)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    if sys.argv[2:] == ["driver"]:
        say(f"parent: {ctypes.CDLL('libcuda.so.1').cuInit(0)}")
    elif sys.argv[1] != "clean":
        say(f"parent asks: {torch.cuda.is_available()}")
    port = free_port()
    client = multiprocessing.get_context("fork").Process(target=ask, args=(port,))
    client.start()
    api = ArrayDoubler() if sys.argv[1] == "array" else Doubler()
    server = litserve.LitServer(api, accelerator="auto", devices=1)
    server.run(host="127.0.0.1", port=port, log_level="error", generate_client_file=False)
    client.join()
    say("server ended")


if __name__ == "__main__":
    main()
