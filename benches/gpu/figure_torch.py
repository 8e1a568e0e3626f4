#!/usr/bin/env python3
"""Figure 5-6 in PyTorch on a GPU, or on the CPU where there is none: seconds of an epoch, a line of JSON for each number of models.

    python3 benches/gpu/figure_torch.py --images 60000 3 32 400

First one model, eagerly; then each number of models as one batched model. Images are noise, as only time is asked for.
Twenty steps of warming up are not counted, and nothing is evaluated.
"""

import argparse
import json
import time

BATCH = 100


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=int, nargs="*")
    parser.add_argument("--images", type=int, default=60000)
    options = parser.parse_args()

    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    torch.manual_seed(0)
    images = torch.rand(options.images, 784, device=device)

    for form, models in [("eager", None), *(("one batched model", models) for models in options.models)]:
        seconds = epoch(torch, images, models)
        row = {"models": models or 1, "with": f"PyTorch, {form}", "device": name, "epoch": seconds}
        print(json.dumps(row), flush=True)


def epoch(torch, images, models):
    """Seconds of an epoch; `models` is None for one model without a dimension of models."""
    device = images.device
    leading = () if models is None else (models,)
    addmm = torch.addmm if models is None else torch.baddbmm
    weight = (torch.randn(*leading, 784, 100, device=device) / 28).requires_grad_()
    bias = torch.zeros(*leading, 1, 100, device=device, requires_grad=True)
    back = torch.zeros(*leading, 1, 784, device=device, requires_grad=True)
    adam = torch.optim.Adam([weight, bias, back], lr=5e-4, fused=True)

    def steps(order):
        mean_activation = torch.full((*leading, 1, 100), 0.05, device=device)
        for rows in order.split(BATCH):
            x = images[rows].expand(*leading, -1, -1)
            h = torch.relu(addmm(bias, x, weight))
            batch_mean = h.mean(-2, keepdim=True)
            with torch.no_grad():
                mean_activation = 0.99 * mean_activation + 0.01 * batch_mean
                clamped = mean_activation.clamp(0.01, 0.99)
                slope = -0.05 / clamped + 0.95 / (1 - clamped)
            error = 0.5 * (addmm(back, h, weight.mT) - x).square().sum() / BATCH
            cost = error + 0.1 * (slope * batch_mean).sum()
            adam.zero_grad()
            cost.backward()
            adam.step()
        if device.type == "cuda":
            torch.cuda.synchronize()

    steps(torch.randperm(len(images), device=device)[: 20 * BATCH])
    begin = time.monotonic()
    steps(torch.randperm(len(images), device=device))
    return time.monotonic() - begin


if __name__ == "__main__":
    main()
