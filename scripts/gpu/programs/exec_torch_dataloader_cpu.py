"""torch: the model on the GPU is a global of the program, the DataLoader's workers stay on the CPU.

The workers need no CUDA, so they must not have any: neither a device file of the GPU nor CUDA
initialised when their last item is made.
"""

import fresh
import torch
from outcome import say
from torch.utils.data import DataLoader, Dataset

model = torch.nn.Linear(4, 4).cuda()
offset = torch.ones(4)


class Numbers(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        clean = not fresh.gpu_files() and not torch.cuda.is_initialized()
        return offset * index, clean


loader = DataLoader(Numbers(), batch_size=2, num_workers=2, multiprocessing_context="fork",
                    worker_init_fn=lambda number: fresh.tell())
for batch, clean in loader:
    say(f"batch: {batch.sum().item()} {tuple(model(batch.cuda()).shape)}")
    say(f"without CUDA: {clean.all().item()}")
say("completed")
