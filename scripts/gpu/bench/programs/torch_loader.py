"""PyTorch: epochs of a DataLoader with 8 new workers each, forked, which make and shrink images on the processor,
while the parent feeds them to a model on the GPU. A unit is an image. The start of an epoch's workers is told by
itself; epochs are shorter than users', about half a second, so that it weighs more.
"""

import time
from statistics import median

import torch
from segments import DEVICE, ON_CPU, serve
from torch.utils.data import DataLoader, Dataset

# Batches that fit the shared memory of any container.
IMAGES, BATCH, LARGE, SIDE, WORKERS = (32, 4, 32, 16, 8) if ON_CPU else (2048, 16, 224, 96, 8)


class Images(Dataset):
    def __len__(self):
        return IMAGES

    def __getitem__(self, index):
        image = torch.full((1, 3, LARGE, LARGE), index / IMAGES)
        image.add_(torch.randn_like(image), alpha=0.1).clamp_(0, 1)
        return torch.nn.functional.interpolate(image, (SIDE, SIDE), mode="bilinear", antialias=True)[0]


model = torch.nn.Sequential(
    torch.nn.Conv2d(3, 16, 3, stride=2), torch.nn.ReLU(), torch.nn.Conv2d(16, 32, 3, stride=2), torch.nn.ReLU(),
    torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(32, 10),
).to(DEVICE)


def epoch():
    """Seconds until its workers were started."""
    loader = DataLoader(
        Images(), BATCH, num_workers=WORKERS, pin_memory=not ON_CPU, multiprocessing_context="fork"
    )
    began = time.perf_counter()
    batches = iter(loader)
    started = time.perf_counter() - began
    seen = 0
    with torch.no_grad():
        for batch in batches:
            answers = model(batch.to(DEVICE, non_blocking=True))
            seen += len(answers)
    answers.sum().item()
    assert seen == IMAGES, f"{seen} images came of {IMAGES}"
    return started


def work(count):
    """Whole epochs: as many as there are so many images in."""
    epochs = max(1, round(count / IMAGES))
    started = median(epoch() for _ in range(epochs))
    return {"units": epochs * IMAGES, "also": started}


serve(work, prelude=False, torch=torch.__version__)
