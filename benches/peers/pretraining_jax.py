"""The conditions A, B, C, D and C 1/fan_in in JAX: whole epochs compiled, the data in memory as float32.

Forms: `split`, two processes of one core and one thread each, which share out the runs (a condition and a seed).
`joint`, the seeds of a condition side by side in one process on all cores. `sequential`, one run after the other in
one process on all cores.
"""

import math
import os

from common import arguments, images, in_two, labels, on_core, order, save, shared_out, weights

LAYERS = {"A": 0, "B": 2, "C": 15, "D": 15, "C 1/fan_in": 15}
STAGE_EPOCHS = 3
COST = {"A": 1, "B": 4, "C": 13, "D": 17, "C 1/fan_in": 13}


def main():
    options = arguments(["split", "joint", "sequential"], 20)
    if options.form == "split" and options.lane is None:
        in_two(__file__, options)
        return
    if options.lane is not None:
        on_core(options.lane)
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

    import jax
    import jax.numpy as jnp
    import numpy as np

    train = jnp.asarray(images(options.data / "train-images-idx3-ubyte.gz"))
    train_labels = jnp.asarray(labels(options.data / "train-labels-idx1-ubyte.gz"))
    test = jnp.asarray(images(options.data / "t10k-images-idx3-ubyte.gz"))
    test_labels = jnp.asarray(labels(options.data / "t10k-labels-idx1-ubyte.gz"))
    start = weights(options.start)

    def corrected(decay, time):
        """1 - decay**time; the plain formula would lose three digits of 0.999's first steps."""
        return -jnp.expm1(time * math.log(decay))

    def encode(layer, x):
        return jax.nn.relu(x @ layer[0] + layer[1])

    def logits(layers, x):
        for layer in layers[:-1]:
            x = encode(layer, x)
        return x @ layers[-1][0] + layers[-1][1]

    def cross_entropies(layers, x, wanted):
        return -jnp.take_along_axis(jax.nn.log_softmax(logits(layers, x)), wanted[:, None], 1)[:, 0]

    # The data are arguments: captured, they would be compiled in as constants.
    def epoch(layers, train, train_labels, rows, rate):
        def step(state, rows):
            layers, total = state
            mean = lambda layers: cross_entropies(layers, train[rows], train_labels[rows]).mean()
            cost, gradients = jax.value_and_grad(mean)(layers)
            return (jax.tree.map(lambda p, g: p - rate * g, layers, gradients), total + cost), None

        (layers, total), _ = jax.lax.scan(step, (layers, jnp.float32(0)), rows)
        return layers, total / len(rows)

    def score(layers, test, test_labels):
        z = logits(layers, test)
        return (z.argmax(1) == test_labels).mean(), cross_entropies(layers, test, test_labels).mean()

    def stage_cost(parameters, x, mean_activation):
        weight, bias, back = parameters
        h = jax.nn.relu(x @ weight + bias)
        batch_mean = h.mean(0)
        mean_activation = 0.9 * mean_activation + 0.1 * jax.lax.stop_gradient(batch_mean)
        clamped = jnp.clip(mean_activation, 1e-4, 1 - 1e-4)
        slope = -0.05 / clamped + 0.95 / (1 - clamped)
        error = 0.5 * jnp.sum((h @ weight.T + back - x) ** 2)
        return error / len(x) + 0.1 * jnp.sum(slope * batch_mean), (mean_activation, error)

    def stage_epoch(state, codes, rows):
        def step(state, rows):
            parameters, first, second, time, mean_activation, total = state
            gradients, (mean_activation, error) = jax.grad(stage_cost, has_aux=True)(
                parameters, codes[rows], mean_activation
            )
            time += 1
            first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
            second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
            rate, root = 1e-3 / corrected(0.9, time), jnp.sqrt(corrected(0.999, time))
            parameters = jax.tree.map(
                lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + 1e-8), parameters, first, second
            )
            return (parameters, first, second, time, mean_activation, total + error), None

        return jax.lax.scan(step, (*state[:5], jnp.float32(0)), rows)[0]

    def stage_beginning(layer):
        parameters = (*layer, jnp.zeros(layer[0].shape[0]))
        zeros = lambda: jax.tree.map(jnp.zeros_like, parameters)
        return (parameters, zeros(), zeros(), jnp.float32(0), jnp.full(layer[0].shape[1], 0.05), jnp.float32(0))

    joint = options.form == "joint"
    over = (lambda function, axes: jax.vmap(function, in_axes=axes)) if joint else (lambda function, axes: function)
    epoch = jax.jit(over(epoch, (0, None, None, None, None)), donate_argnums=0)
    score = jax.jit(over(score, (0, None, None)))
    pictures_epoch = jax.jit(over(stage_epoch, (0, None, None)), donate_argnums=0)
    codes_epoch = jax.jit(over(stage_epoch, (0, 0, None)), donate_argnums=0)
    first_codes = jax.jit(over(encode, (0, None)))
    next_codes = jax.jit(over(encode, (0, 0)))
    stage_beginning = over(stage_beginning, 0)

    def beginning(condition, seed):
        names = [f"layer.{layer + 1:02}" for layer in range(LAYERS[condition])] + ["output"]
        part = lambda name, kind: jnp.asarray(start[f"{condition}/seed {seed}/{name}.{kind}"])
        return [(part(name, "weight"), part(name, "bias")[0]) for name in names]

    curves, arrays = {}, {}

    def run(condition, seeds):
        layers = jax.tree.map(lambda *parts: jnp.stack(parts), *[beginning(condition, seed) for seed in seeds])
        if not joint:
            layers = jax.tree.map(lambda part: part[0], layers)
        each = lambda value: np.atleast_1d(np.asarray(value)).tolist()
        stages = []
        if condition == "D":
            codes = train
            for stage in range(LAYERS["D"]):
                on_pictures = stage == 0
                state = stage_beginning(layers[stage])
                for e in range(STAGE_EPOCHS):
                    rows = order(options.start, stage + 1, e)
                    state = (pictures_epoch if on_pictures else codes_epoch)(state, codes, rows)
                    stages.append([error / 60_000 for error in each(state[5])])
                layers[stage] = state[0][:2]
                codes = (first_codes if on_pictures else next_codes)(layers[stage], codes)
        accuracy, cost = [], []
        for e in range(options.epochs):
            layers, found = epoch(layers, train, train_labels, order(options.start, 0, e), jnp.float32(0.1 * (1 - e / 20)))
            cost.append(each(found))
            accuracy.append(each(score(layers, test, test_labels)[0]))
        for at, seed in enumerate(seeds):
            curves[f"{condition}/seed {seed}"] = {
                "accuracy": [value[at] for value in accuracy],
                "train": [value[at] for value in cost],
                "stages": [value[at] for value in stages],
            }
        arrays[f"{condition} {seeds}"] = np.asarray(layers[-1][0])

    if joint:
        jobs = [(condition, list(range(options.seeds))) for condition in LAYERS]
    else:
        jobs = [(condition, [seed]) for condition in LAYERS for seed in range(options.seeds)]
    if options.lane is not None:
        jobs = shared_out([(COST[condition], (condition, seeds)) for condition, seeds in jobs])[options.lane]
    for condition, seeds in jobs:
        run(condition, seeds)
    save(options.out, f"curves-{options.lane or 0}", curves, arrays)


main()
