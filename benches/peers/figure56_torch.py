"""Figure 5-6 in PyTorch: autograd, with the fused Adam.

Forms: `split`, two processes of one core and one thread each, with one and a half members each, as in
figure56_jax.py. `sequential`, one member after the other in one process on all cores. `compiled`, the same with
`torch.compile`.
"""

import time

from common import arguments, images, in_two, on_core, order, save, weights

BETAS = [0.0, 0.1, 3.0]
NAMES = ["β = 0/seed 0", "β = 0.1/seed 0", "β = 3/seed 0"]


def main():
    options = arguments(["split", "sequential", "compiled"], 10)
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
    test = torch.from_numpy(images(options.data / "t10k-images-idx3-ubyte.gz"))
    start = weights(options.start)

    def costs(weight, bias, back, x, mean_activation, beta):
        h = torch.relu(torch.addmm(bias, x, weight))
        batch_mean = h.mean(0)
        with torch.no_grad():
            mean_activation = 0.99 * mean_activation + 0.01 * batch_mean
            clamped = mean_activation.clamp(0.01, 0.99)
            slope = -0.05 / clamped + 0.95 / (1 - clamped)
        error = 0.5 * (torch.addmm(back, h, weight.T) - x).square().sum()
        return error / len(x) + beta * (slope * batch_mean).sum(), error, mean_activation

    if options.form == "compiled":
        costs = torch.compile(costs)

    @torch.no_grad()
    def evaluate(weight, bias, back):
        h = torch.relu(torch.addmm(bias, test, weight))
        error = (torch.addmm(back, h, weight.T) - test).square().sum()
        explained = 1 - error / (test - test.mean(0)).square().sum()
        return 0.5 * error / len(test), explained, h.mean(0), (h > 0).sum(0), (h > 0.01).sum(1).float().mean()

    curves, arrays = {}, {}

    class Member:
        def __init__(self, member):
            self.member = member
            names = ["encoder.weight", "encoder.bias", "decoder.bias"]
            shapes = [(784, 100), (100,), (784,)]
            self.parameters = [
                torch.tensor(start[f"{NAMES[member]}/{name}"].reshape(shape), requires_grad=True)
                for name, shape in zip(names, shapes)
            ]
            self.adam = torch.optim.Adam(self.parameters, lr=5e-4, eps=1e-8, fused=True)
            self.mean_activation = torch.full((100,), 0.05)

        def train(self, epochs):
            beta = torch.tensor(BETAS[self.member])
            for e in epochs:
                total = torch.zeros(())
                for rows in torch.from_numpy(order(options.start, 0, e)):
                    cost, error, self.mean_activation = costs(
                        *self.parameters, train[rows], self.mean_activation, beta
                    )
                    self.adam.zero_grad()
                    cost.backward()
                    self.adam.step()
                    total += error.detach()
                curve = curves.setdefault(NAMES[self.member], {"train": [], "test": []})
                curve["train"].append(total.item() / 60_000)
                curve["test"].append(evaluate(*self.parameters)[0].item())
            return self

    everything, half = range(options.epochs), options.epochs // 2
    halfway = options.out / "halfway.pt"
    if options.lane == 0:
        halfway.unlink(missing_ok=True)
        first = Member(2).train(everything[:half])
        state = (first.parameters, first.adam.state_dict(), first.mean_activation)
        torch.save(state, options.out / "part.pt")
        (options.out / "part.pt").rename(halfway)
        ended = [Member(0).train(everything)]
    elif options.lane == 1:
        ended = [Member(1).train(everything)]
        while not halfway.exists():
            time.sleep(0.01)
        parameters, adam, mean_activation = torch.load(halfway)
        second = Member(2)
        with torch.no_grad():
            for ours, theirs in zip(second.parameters, parameters):
                ours.copy_(theirs)
        second.adam.load_state_dict(adam)
        second.mean_activation = mean_activation
        ended.append(second.train(everything[half:]))
    else:
        ended = [Member(member).train(everything) for member in range(3)]
    arrays = {f"weight {one.member}": one.parameters[0].detach().numpy() for one in ended}
    save(options.out, f"curves-{options.lane or 0}", curves, arrays)


main()
