"""Figure 5-6 in JAX: whole epochs compiled, the data in memory as float32.

Forms: `split`, two processes of one core and one thread each, with one and a half members each: the first half of
β = 3 is trained by one and handed to the other in a file. `joint`, the members side by side in one process on all
cores. `sequential`, one after the other in one process on all cores.
"""

import math
import os
import time

from common import arguments, images, in_two, on_core, order, save, weights

BETAS = [0.0, 0.1, 3.0]
NAMES = ["β = 0/seed 0", "β = 0.1/seed 0", "β = 3/seed 0"]


def main():
    options = arguments(["split", "joint", "sequential"], 10)
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
    test = jnp.asarray(images(options.data / "t10k-images-idx3-ubyte.gz"))
    start = weights(options.start)

    def corrected(decay, time):
        """1 - decay**time; the plain formula would lose three digits of 0.999's first steps."""
        return -jnp.expm1(time * math.log(decay))

    def cost(parameters, x, mean_activation, beta):
        weight, bias, back = parameters
        h = jax.nn.relu(x @ weight + bias)
        batch_mean = h.mean(0)
        mean_activation = 0.99 * mean_activation + 0.01 * jax.lax.stop_gradient(batch_mean)
        clamped = jnp.clip(mean_activation, 0.01, 0.99)
        slope = -0.05 / clamped + 0.95 / (1 - clamped)
        error = 0.5 * jnp.sum((h @ weight.T + back - x) ** 2)
        return error / len(x) + beta * jnp.sum(slope * batch_mean), (mean_activation, error)

    gradient = jax.grad(cost, has_aux=True)

    def step(state, x, beta):
        parameters, first, second, time, mean_activation, total = state
        gradients, (mean_activation, error) = gradient(parameters, x, mean_activation, beta)
        time += 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
        rate, root = 5e-4 / corrected(0.9, time), jnp.sqrt(corrected(0.999, time))
        parameters = jax.tree.map(
            lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + 1e-8), parameters, first, second
        )
        return parameters, first, second, time, mean_activation, total + error

    # The data are arguments: captured, they would be compiled in as constants.
    def epoch(state, train, rows, beta):
        state = (*state[:5], jnp.zeros_like(state[5]))
        return jax.lax.scan(lambda state, rows: (step(state, train[rows], beta), None), state, rows)[0]

    def joint_epoch(state, train, rows, betas):
        state = (*state[:5], jnp.zeros_like(state[5]))
        steps = jax.vmap(step, in_axes=(0, None, 0))
        return jax.lax.scan(lambda state, rows: (steps(state, train[rows], betas), None), state, rows)[0]

    def evaluate(parameters, test):
        weight, bias, back = parameters
        h = jax.nn.relu(test @ weight + bias)
        error = jnp.sum((h @ weight.T + back - test) ** 2)
        explained = 1 - error / jnp.sum((test - test.mean(0)) ** 2)
        return 0.5 * error / len(test), explained, h.mean(0), (h > 0).sum(0), (h > 0.01).sum(1).mean()

    def beginning(member):
        names = ["encoder.weight", "encoder.bias", "decoder.bias"]
        parameters = tuple(jnp.asarray(start[f"{NAMES[member]}/{name}"].reshape(shape)) for name, shape in
                           zip(names, [(784, 100), (100,), (784,)]))
        zeros = lambda: jax.tree.map(jnp.zeros_like, parameters)
        return (parameters, zeros(), zeros(), jnp.float32(0), jnp.full(100, 0.05), jnp.float32(0))

    curves, arrays = {}, {}

    def keep(member, state, found):
        curve = curves.setdefault(NAMES[member], {"train": [], "test": []})
        curve["train"].append(float(state[5]) / 60_000)
        curve["test"].append(float(found[0]))

    if options.form == "joint":
        joint_epoch = jax.jit(joint_epoch, donate_argnums=0)
        evaluate = jax.jit(jax.vmap(evaluate, in_axes=(0, None)))
        state = jax.tree.map(lambda *parts: jnp.stack(parts), *[beginning(member) for member in range(3)])
        for e in range(options.epochs):
            state = joint_epoch(state, train, order(options.start, 0, e), jnp.asarray(BETAS))
            found = jax.tree.map(np.asarray, evaluate(state[0], test))
            for member in range(3):
                keep(member, jax.tree.map(lambda part: part[member], state), [part[member] for part in found])
        arrays = {f"weight {member}": np.asarray(state[0][0][member]) for member in range(3)}
    else:
        epoch = jax.jit(epoch, donate_argnums=0)
        evaluate = jax.jit(evaluate)

        def trained(member, state, epochs):
            for e in epochs:
                state = epoch(state, train, order(options.start, 0, e), jnp.float32(BETAS[member]))
                keep(member, state, jax.tree.map(np.asarray, evaluate(state[0], test)))
            return state

        everything, half = range(options.epochs), options.epochs // 2
        halfway = options.out / "halfway.npz"
        ended = []
        if options.lane == 0:
            halfway.unlink(missing_ok=True)
            first = trained(2, beginning(2), everything[:half])
            np.savez(options.out / "part.npz", *jax.tree.leaves(first))
            (options.out / "part.npz").rename(halfway)
            ended = [(0, trained(0, beginning(0), everything))]
        elif options.lane == 1:
            ended = [(1, trained(1, beginning(1), everything))]
            while not halfway.exists():
                time.sleep(0.01)
            with np.load(halfway) as parts:
                leaves = [jnp.asarray(parts[name]) for name in parts.files]
            state = jax.tree.unflatten(jax.tree.structure(beginning(2)), leaves)
            ended.append((2, trained(2, state, everything[half:])))
        else:
            ended = [(member, trained(member, beginning(member), everything)) for member in range(3)]
        arrays = {f"weight {member}": np.asarray(state[0][0]) for member, state in ended}
    save(options.out, f"curves-{options.lane or 0}", curves, arrays)


main()
