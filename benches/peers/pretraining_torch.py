"""The conditions A, B, C, D and C 1/fan_in in PyTorch: autograd, with the fused Adam and SGD.

Forms: `split`, two processes of one core and one thread each, which share out the runs (a condition and a seed).
`sequential`, one run after the other in one process on all cores.
"""

from common import arguments, images, in_two, labels, on_core, order, save, shared_out, weights

LAYERS = {"A": 0, "B": 2, "C": 15, "D": 15, "C 1/fan_in": 15}
STAGE_EPOCHS = 3
COST = {"A": 1, "B": 4, "C": 13, "D": 17, "C 1/fan_in": 13}


def main():
    options = arguments(["split", "sequential"], 20)
    if options.form == "split" and options.lane is None:
        in_two(__file__, options)
        return
    if options.lane is not None:
        on_core(options.lane)

    import numpy as np
    import torch

    torch.set_flush_denormal(True)
    if options.lane is not None:
        torch.set_num_threads(1)
    train = torch.from_numpy(images(options.data / "train-images-idx3-ubyte.gz"))
    train_labels = torch.from_numpy(labels(options.data / "train-labels-idx1-ubyte.gz")).long()
    test = torch.from_numpy(images(options.data / "t10k-images-idx3-ubyte.gz"))
    test_labels = torch.from_numpy(labels(options.data / "t10k-labels-idx1-ubyte.gz")).long()
    start = weights(options.start)

    def encode(weight, bias, x):
        return torch.relu(torch.addmm(bias, x, weight))

    def logits(layers, x):
        for layer in layers[:-1]:
            x = encode(*layer, x)
        return torch.addmm(layers[-1][1], x, layers[-1][0])

    def pretrained(layer, stage, codes, found):
        weight, bias = layer
        back = torch.zeros(weight.shape[0], requires_grad=True)
        adam = torch.optim.Adam([weight, bias, back], lr=1e-3, eps=1e-8, fused=True)
        mean_activation = torch.full((weight.shape[1],), 0.05)
        for e in range(STAGE_EPOCHS):
            total = torch.zeros(())
            for rows in torch.from_numpy(order(options.start, stage + 1, e)):
                x = codes[rows]
                h = encode(weight, bias, x)
                batch_mean = h.mean(0)
                with torch.no_grad():
                    mean_activation = 0.9 * mean_activation + 0.1 * batch_mean
                    clamped = mean_activation.clamp(1e-4, 1 - 1e-4)
                    slope = -0.05 / clamped + 0.95 / (1 - clamped)
                error = 0.5 * (torch.addmm(back, h, weight.T) - x).square().sum()
                adam.zero_grad()
                (error / len(x) + 0.1 * (slope * batch_mean).sum()).backward()
                adam.step()
                total += error.detach()
            found.append(total.item() / 60_000)
        with torch.no_grad():
            return encode(weight, bias, codes)

    curves, arrays = {}, {}

    def run(condition, seed):
        names = [f"layer.{layer + 1:02}" for layer in range(LAYERS[condition])] + ["output"]
        part = lambda name, kind: torch.tensor(start[f"{condition}/seed {seed}/{name}.{kind}"])
        layers = [(part(name, "weight").requires_grad_(), part(name, "bias")[0].clone().requires_grad_()) for name in names]
        stages = []
        if condition == "D":
            codes = train
            for stage in range(LAYERS["D"]):
                codes = pretrained(layers[stage], stage, codes, stages)
        sgd = torch.optim.SGD([part for layer in layers for part in layer], lr=0.1, fused=True)
        accuracy, cost = [], []
        for e in range(options.epochs):
            sgd.param_groups[0]["lr"] = 0.1 * (1 - e / 20)
            total, batches = torch.zeros(()), torch.from_numpy(order(options.start, 0, e))
            for rows in batches:
                loss = torch.nn.functional.cross_entropy(logits(layers, train[rows]), train_labels[rows])
                sgd.zero_grad()
                loss.backward()
                sgd.step()
                total += loss.detach()
            cost.append(total.item() / len(batches))
            with torch.no_grad():
                z = logits(layers, test)
                torch.nn.functional.cross_entropy(z, test_labels)
                accuracy.append((z.argmax(1) == test_labels).float().mean().item())
        curves[f"{condition}/seed {seed}"] = {"accuracy": accuracy, "train": cost, "stages": stages}
        arrays[f"{condition} {seed}"] = layers[-1][0].detach().numpy()

    jobs = [(condition, seed) for condition in LAYERS for seed in range(options.seeds)]
    if options.lane is not None:
        jobs = shared_out([(COST[condition], (condition, seed)) for condition, seed in jobs])[options.lane]
    for condition, seed in jobs:
        run(condition, seed)
    save(options.out, f"curves-{options.lane or 0}", curves, arrays)


main()
