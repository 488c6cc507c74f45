"""PyTorch: steps of training a small transformer in bfloat16, as most training programs do them: forward, backward,
AdamW, and the loss looked at now and then.
"""

import torch
from segments import DEVICE, ON_CPU, serve
from torch import nn

WIDTH, LENGTH, BATCH = (32, 8, 2) if ON_CPU else (512, 128, 32)

torch.manual_seed(0)
layer = nn.TransformerEncoderLayer(WIDTH, 8, 4 * WIDTH, dropout=0.0, batch_first=True)
model = nn.TransformerEncoder(layer, 4).to(DEVICE)
optimiser = torch.optim.AdamW(model.parameters(), lr=1e-5)
given = torch.randn(BATCH, LENGTH, WIDTH, device=DEVICE)
wanted = torch.randn(BATCH, LENGTH, WIDTH, device=DEVICE)


def work(count):
    for _ in range(count):
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(DEVICE, torch.bfloat16):
            loss = nn.functional.mse_loss(model(given), wanted)
        loss.backward()
        optimiser.step()
    # Waits for the GPU as well.
    loss.item()


serve(work, torch=torch.__version__)
