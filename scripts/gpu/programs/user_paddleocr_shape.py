"""The shape of PaddleOCR's multi-process mode (Paddle itself is not needed here).

The parent builds the recogniser, with its model on the GPU, and forks one process a share of the
images; each process calls `ocr()` on the recogniser it inherited.
"""

import multiprocessing

import torch
from outcome import attempt, await_processes, say


class Recogniser:
    def __init__(self):
        self.model = torch.nn.Conv2d(3, 8, 3).cuda().eval()  # INIT

    @torch.no_grad()
    def ocr(self, image):
        return tuple(self.model(image.cuda()).shape)  # USE


def predict(recogniser, images, sender):
    sender.send([attempt(lambda: recogniser.ocr(image)) for image in images])


def main():
    recogniser = Recogniser()
    fork = multiprocessing.get_context("fork")
    processes, receivers = [], []
    for _ in range(2):
        receiver, sender = fork.Pipe(duplex=False)
        images = [torch.zeros(1, 3, 32, 32) for _ in range(2)]
        process = fork.Process(target=predict, args=(recogniser, images, sender))
        process.start()  # FORK
        sender.close()
        processes.append(process)
        receivers.append(receiver)
    for receiver in receivers:
        try:
            for result in receiver.recv():
                say(f"page: {result}")
        except EOFError:
            say("a process ended before it answered")
    await_processes(processes)


main()
