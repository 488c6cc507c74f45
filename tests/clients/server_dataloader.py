"""PyTorch itself, on the CPU: two epochs of training from a DataLoader with forked workers, in a program that has
initialised CUDA. `cpu`: the workers leave it alone, as those of most programs do; `cuda`: the Dataset uses it.

A second argument is the number of workers. Prints what the Dataset said, the loss, and what became of the loader.
"""
import ctypes
import sys

import torch
from torch.utils.data import DataLoader, Dataset

NO_DEVICE = 100
driver = ctypes.CDLL("libcuda.so.1")


class Points(Dataset):
    """Of a line, sixteen of them."""

    def __init__(self, uses_cuda):
        self.uses_cuda = uses_cuda

    def __len__(self):
        return 16

    def __getitem__(self, index):
        code = driver.cuInit(0) if self.uses_cuda else -1  # USE
        x = torch.tensor([index / 16.0])
        return x, 3 * x + 1, code


def main():
    assert driver.cuInit(0) == 0  # INIT
    torch.manual_seed(0)
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    loader = DataLoader(Points(sys.argv[1] == "cuda"), batch_size=4, num_workers=int(sys.argv[2]))
    codes = set()
    try:
        for _ in range(2):
            for x, y, code in loader:
                optimizer.zero_grad()
                loss = torch.nn.functional.mse_loss(model(x), y)
                loss.backward()
                optimizer.step()
                codes.update(code.tolist())
        print("cuInit", sorted(codes), "loss %.4f" % loss.item())
    except RuntimeError as error:
        print(str(error).split("(pid")[0].strip(), str(error).rpartition(")")[2])


if __name__ == "__main__":
    main()
