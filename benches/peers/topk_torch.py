"""784-4096-784 with the 32 strongest units of each image, in PyTorch: how long a step of training takes for each image.

All forms do the same work on the same rows of MNIST as float32, in batches of 1,000: the decoder's bias starts as the mean
image and is taken from the input, the decoder's rows start at random with norm 1 and the encoder as their transpose, and
Adam has a rate of 1e-3. Fetching a batch is part of a step. No unit is silent for long enough in such a run for an auxiliary loss
to begin, so that theirs costs nothing but its bookkeeping.

Forms: `plain`, with gradients written out, so that only the encoder's product is a full one. `autograd`, the textbook's
lines with the fused Adam. `dictionary_learning`, the package's `TopKTrainer` with its own step (it starts the bias at
the geometric median, and limits the norm of gradients). `sae_lens`, SAELens's `SAETrainer` with a `TopKTrainingSAE`
(instead of keeping the decoder's rows at norm 1 it weighs codes by their norms, and it limits the norm of gradients).
`sae_lens_sparse`, the same with `use_sparse_activations`, which in this version has no backward pass with those norms, so
without them.

    python benches/peers/topk_torch.py plain --threads 2
"""

import argparse
import itertools
import pathlib
import statistics
import time

import torch
from common import images

UNITS, STRONGEST, RATE = 4096, 32, 1e-3


class Plain:
    """f keeps the strongest sums, e = f((x − c) Wᵀ + b) D + c − x; both matrices are [unit, input], rows of D have norm 1."""

    def __init__(self, decoder, bias):
        start = [decoder, torch.zeros(UNITS), decoder, bias]
        self.parameters = [torch.nn.Parameter(values.clone()) for values in start]
        self.adam = torch.optim.Adam(self.parameters, lr=RATE, fused=True)

    def code(self, x):
        """Units [image, STRONGEST], their activations and x − c."""
        encoder, bias, _, back = self.parameters
        z = x - back
        strongest, units = torch.addmm(bias, z, encoder.T).topk(STRONGEST, sorted=False)
        return units, strongest.relu_(), z

    def error(self, x):
        """Of codes and errors alike: units, activations, x − c and what reconstructions have too much."""
        units, strongest, z = self.code(x)
        sums = torch.nn.functional.embedding_bag(units, self.parameters[2], per_sample_weights=strongest, mode="sum")
        return units, strongest, z, sums - z

    @torch.no_grad()
    def step(self, x):
        encoder, bias, decoder, back = self.parameters
        units, strongest, z, error = self.error(x)
        error /= len(x)
        units = units.flatten()
        ends = torch.arange(len(x) + 1) * STRONGEST
        # The products that a backward pass needs, at the entries alone that are not 0.
        wanted = torch.sparse_csr_tensor(ends, units, torch.zeros(units.shape), (len(x), UNITS))
        slopes = torch.sparse.sampled_addmm(wanted, error, decoder.T).values() * (strongest.flatten() > 0)
        transposed = lambda values: torch.sparse_csc_tensor(ends, units, values, (UNITS, len(x)))
        encoder.grad = transposed(slopes) @ z
        bias.grad = torch.zeros(UNITS).index_add_(0, units, slopes)
        back.grad = error.sum(0) - bias.grad @ encoder
        gradient = transposed(strongest.flatten()) @ error
        decoder.grad = gradient.addcmul_(decoder, torch.linalg.vecdot(gradient, decoder)[:, None], value=-1)
        self.adam.step()
        decoder /= torch.linalg.vector_norm(decoder, dim=1, keepdim=True)

    @torch.no_grad()
    def reconstruct(self, x):
        return x + self.error(x)[3]


class Autograd(Plain):
    def reconstruction(self, x):
        encoder, bias, decoder, back = self.parameters
        sums = torch.addmm(bias, x - back, encoder.T)
        strongest, units = sums.topk(STRONGEST, sorted=False)
        return torch.addmm(back, torch.zeros_like(sums).scatter(1, units, strongest.relu()), decoder)

    def step(self, x):
        (0.5 * (self.reconstruction(x) - x).square().sum() / len(x)).backward()
        decoder = self.parameters[2]
        with torch.no_grad():
            decoder.grad -= (decoder.grad * decoder).sum(1, keepdim=True) * decoder
            self.adam.step()
            decoder /= decoder.norm(dim=1, keepdim=True)
        self.adam.zero_grad()


class DictionaryLearning:
    def __init__(self, decoder, bias):
        from dictionary_learning.trainers import TopKTrainer

        self.trainer = TopKTrainer(
            steps=10**9, activation_dim=len(bias), dict_size=UNITS, k=STRONGEST, layer=0, lm_name="", lr=RATE,
            warmup_steps=0, device="cpu",
        )
        self.trainer.ae.decoder.weight.data = decoder.T.clone()
        self.trainer.ae.encoder.weight.data = decoder.clone()
        self.steps = itertools.count()

    def step(self, x):
        self.trainer.update(next(self.steps), x)

    def reconstruct(self, x):
        return self.trainer.ae(x)


class SaeLens:
    def __init__(self, decoder, bias, use_sparse_activations=False):
        from sae_lens import TopKTrainingSAE, TopKTrainingSAEConfig
        from sae_lens.config import SAETrainerConfig
        from sae_lens.training.sae_trainer import SAETrainer

        self.sae = TopKTrainingSAE(
            TopKTrainingSAEConfig(
                d_in=len(bias), d_sae=UNITS, k=STRONGEST, apply_b_dec_to_input=True,
                use_sparse_activations=use_sparse_activations, rescale_acts_by_decoder_norm=not use_sparse_activations,
            )
        )
        self.sae.W_dec.data, self.sae.W_enc.data = decoder.clone(), decoder.T.contiguous()
        self.sae.b_dec.data = bias.clone()
        config = SAETrainerConfig(total_training_samples=10**9, train_batch_size_samples=1000, lr=RATE, lr_end=RATE)
        self.trainer = SAETrainer(config, self.sae, data_provider=iter(()))

    def step(self, x):
        """As in the trainer's `fit`."""
        self.trainer.maybe_reset_sparsity()
        self.trainer.step(x)
        self.trainer.n_training_steps += 1

    def reconstruct(self, x):
        return self.sae(x)


FORMS = {
    "plain": Plain,
    "autograd": Autograd,
    "dictionary_learning": DictionaryLearning,
    "sae_lens": SaeLens,
    "sae_lens_sparse": lambda decoder, bias: SaeLens(decoder, bias, use_sparse_activations=True),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("form", choices=FORMS)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("data/mnist"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--warm-up", type=int, default=10, help="batches before the first that is timed")
    parser.add_argument("--steps", type=int, default=60, help="batches of each repeat")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()

    torch.set_flush_denormal(True)
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    train = torch.from_numpy(images(options.data / "train-images-idx3-ubyte.gz"))
    test = torch.from_numpy(images(options.data / "t10k-images-idx3-ubyte.gz"))
    model = FORMS[options.form](
        torch.nn.functional.normalize(torch.randn(UNITS, train.shape[1]), dim=1), train.mean(0)
    )

    def batches():
        while True:
            for rows in torch.randperm(len(train)).split(options.batch):
                yield train[rows]

    source = batches()
    seconds, busy = [], []
    for repeat in range(options.repeats + 1):
        steps = options.steps if repeat else options.warm_up
        begin = time.perf_counter(), time.process_time()
        for x in itertools.islice(source, steps):
            model.step(x)
        seconds.append(1e6 * (time.perf_counter() - begin[0]) / (steps * options.batch))
        busy.append(1e6 * (time.process_time() - begin[1]) / (steps * options.batch))
    with torch.no_grad():
        errors = (model.reconstruct(test) - test).square().sum() / (test - test.mean(0)).square().sum()
    each = seconds[1:]
    print(
        f"{options.form}, {options.threads} threads: {statistics.median(each):.1f} µs an image ({min(each):.1f} to {max(each):.1f}), "
        f"{1e6 / statistics.median(each):,.0f} images a second; {min(busy[1:]):.1f} µs of processor time; "
        f"explained variance of the test images {1 - errors:.4f}"
    )


main()
