"""What the peers share: reading the data and the common start, sharing work over two processes, writing results.

A start is a folder made by `cargo bench --profile dev --bench peers`: `weights.safetensors`, and `order-S-E.u32`, the order of the
training images in epoch E of stage S, as little-endian u32.
"""

import argparse
import gzip
import json
import os
import pathlib

BATCH = 100


def arguments(forms, epochs):
    parser = argparse.ArgumentParser()
    parser.add_argument("start", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("data/mnist"))
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--form", choices=forms, default=forms[0])
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--lane", type=int, help="of a form in two processes: which of them this is")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    return options


def images(path):
    import numpy as np

    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784).astype(np.float32) / 255


def labels(path):
    import numpy as np

    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int32)


def weights(start):
    """Every tensor of the start by its name. The format: a length, a JSON header, and the numbers."""
    import numpy as np

    raw = (start / "weights.safetensors").read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    header.pop("__metadata__", None)
    numbers = np.frombuffer(raw, np.float32, offset=8 + size)
    return {
        name: numbers[tensor["data_offsets"][0] // 4 : tensor["data_offsets"][1] // 4].reshape(tensor["shape"])
        for name, tensor in header.items()
    }


def order(start, stage, epoch):
    import numpy as np

    rows = np.fromfile(start / f"order-{stage}-{epoch}.u32", "<u4").astype(np.int32)
    return rows[: len(rows) // BATCH * BATCH].reshape(-1, BATCH)


def save(out, name, curves, arrays):
    import numpy as np

    (out / f"{name}.json").write_text(json.dumps(curves))
    np.savez(out / f"{name}.npz", **arrays)


def on_core(lane):
    """Confines this process to one core; to be called before the library is imported."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[lane % len(cores)]})


def in_two(script, options):
    """Runs the script twice, each time with one lane's share of the work, and waits for both."""
    import subprocess
    import sys

    command = [sys.executable, script, str(options.start), "--data", str(options.data), "--out", str(options.out)]
    command += ["--form", options.form, "--epochs", str(options.epochs), "--seeds", str(options.seeds)]
    lanes = [subprocess.Popen([*command, "--lane", str(lane)]) for lane in range(2)]
    if any([lane.wait() for lane in lanes]):
        raise SystemExit("a lane failed")


def shared_out(jobs):
    """Two lists of about equal cost, from (cost, job), the dearest first."""
    lanes, loads = ([], []), [0.0, 0.0]
    for cost, job in sorted(jobs, key=lambda pair: -pair[0]):
        lane = loads.index(min(loads))
        lanes[lane].append(job)
        loads[lane] += cost
    return lanes
