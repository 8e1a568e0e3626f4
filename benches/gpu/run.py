#!/usr/bin/env python3
"""Many models at once on a GPU: layerwise on wgpu and cuda, and PyTorch on the same card.

Needs nothing but the built program and Python, with PyTorch for the comparison; no Rust and no network. Build the program
where there is Rust, and take it along with the folder data/mnist:

    cargo build --release --features cuda && strip target/release/layerwise
    python3 benches/gpu/run.py target/release/layerwise --data data/mnist --out gpu-results

Figure 5-6 with one sparsity weight and 3, 32 and 400 seeds, and D of the second experiment with 10 and 100 seeds. A backend
that the program or the machine lacks is told and left out. Before anything is timed, results of a short run are compared
with those of flex. `--tiny` is the same with sizes that a software renderer can bear, to try the script itself.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import time

FIGURE = """
experiment = "figure56"
[run]
seeds = {seeds}
[data]
dir = "{data}"
train_images = {images}
test_images = {test_images}
[sparsity]
weights = [0.1]
[training]
epochs = {epochs}
"""

D = """
experiment = "pretraining"
[run]
seeds = {seeds}
[data]
dir = "{data}"
train_images = {images}
test_images = {test_images}
[training]
epochs = {epochs}
[conditions.D]
network.hidden_units = {layers}
pretraining.layers = "all"
pretraining.epochs = {epochs}
"""


def main():
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    backends = [name for name in options.backends if offered(options, name)]
    rows = []
    for backend in backends:
        agree_with_flex(options, backend)
    for backend in backends:
        for seeds in options.figure_seeds:
            rows.append(timed(options, "figure", FIGURE, seeds, backend))
        for seeds in options.deep_seeds:
            rows.append(timed(options, "D", D, seeds, backend))
    rows += pytorch(options)
    write(options, rows)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("data/mnist"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("gpu-results"))
    parser.add_argument("--backends", nargs="+", default=["wgpu", "cuda"])
    parser.add_argument("--epochs", type=int, default=1, help="of every training, so that all of it fits into minutes")
    parser.add_argument("--seconds", type=float, default=480, help="nothing new is begun after that")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    options.begin = time.monotonic()
    options.images = 400 if options.tiny else 60000
    options.test_images = 100 if options.tiny else 10000
    options.figure_seeds = [3, 4] if options.tiny else [3, 32, 400]
    options.deep_seeds = [2] if options.tiny else [10, 100]
    options.layers = [20, 20] if options.tiny else [100] * 15
    return options


def offered(options, backend):
    lines = subprocess.run([options.program, "backends"], capture_output=True, text=True).stdout.splitlines()
    line = next((line for line in lines if line.startswith(backend)), f"{backend} is not known to the program")
    print(line)
    return "ready" in line


def run(options, name, text, seeds, backend, **changes):
    """Runs the program on a config and gives its folder and the seconds of the whole process."""
    settings = {key: getattr(options, key) for key in ["images", "test_images", "epochs", "layers"]}
    settings |= {"seeds": list(range(seeds)), "data": options.data.resolve().as_posix()} | changes
    config = options.out / f"{name}-{seeds}-{backend}.toml"
    config.write_text(text.format(**settings))
    folder = options.out / f"{name}-{seeds}-{backend}"
    shutil.rmtree(folder, ignore_errors=True)
    begin = time.monotonic()
    command = [options.program, config, "--backend", backend, "--quiet", "--out", folder]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nexit code {done.returncode}\n{done.stderr}")
    return folder, time.monotonic() - begin


def agree_with_flex(options, backend):
    """A short run on the backend and on flex: the same test error and accuracy, up to rounding."""
    for name, text, key in [("figure", FIGURE, "test_reconstruction"), ("D", D, "test_cost")]:
        changes = {"images": min(options.images, 2000), "test_images": 100, "layers": options.layers[:3]}
        found, expected = [
            [
                record[key]
                for record in map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
                if key in record
            ]
            for folder in [run(options, f"agree-{name}", text, 2, where, **changes)[0] for where in (backend, "flex")]
        ]
        assert len(found) == len(expected) > 0, "as many records on both"
        worst = max(abs(a / b - 1) for a, b in zip(found, expected))
        print(f"{backend}, {name}: {key} differs from flex's by {worst:.1e} at most")
        if worst > 2e-2:
            sys.exit(f"{backend} does not agree with flex on {name}")


def timed(options, name, text, seeds, backend):
    if time.monotonic() - options.begin > options.seconds:
        return {"what": name, "models": seeds, "with": f"layerwise, {backend}", "seconds": None}
    folder, process = run(options, name, text, seeds, backend)
    manifest = json.loads((folder / "manifest.json").read_text())
    row = {
        "what": name,
        "models": seeds,
        "with": f"layerwise, {backend}",
        "device": manifest["device"],
        "seconds": manifest["seconds"]["training"],
        "process": process,
    }
    print(row)
    return row


def pytorch(options):
    """The figure's training in PyTorch: one model after the other, eagerly, and all as one batched model."""
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: left out")
        return []
    device = "cuda" if torch.cuda.is_available() else "cpu"
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    torch.manual_seed(0)
    x = torch.rand(options.images, 784, device=device)
    rows = []

    def epoch(members):
        """Seconds of an epoch of so many models as one, the first steps of warming up left out."""
        weight = (torch.randn(members, 784, 100, device=device) / 28).requires_grad_()
        bias = torch.zeros(members, 1, 100, device=device, requires_grad=True)
        back = torch.zeros(members, 1, 784, device=device, requires_grad=True)
        mean_activation = torch.full((members, 1, 100), 0.05, device=device)
        adam = torch.optim.Adam([weight, bias, back], lr=5e-4, fused=device == "cuda")

        def steps(order):
            nonlocal mean_activation
            for rows_of_batch in order.split(100):
                batch = x[rows_of_batch].expand(members, -1, -1)
                h = torch.relu(torch.baddbmm(bias, batch, weight))
                batch_mean = h.mean(1, keepdim=True)
                with torch.no_grad():
                    mean_activation = 0.99 * mean_activation + 0.01 * batch_mean
                    clamped = mean_activation.clamp(0.01, 0.99)
                    slope = -0.05 / clamped + 0.95 / (1 - clamped)
                error = 0.5 * (torch.baddbmm(back, h, weight.transpose(1, 2)) - batch).square().sum() / 100
                cost = error + 0.1 * (slope * batch_mean).sum()
                adam.zero_grad(set_to_none=True)
                cost.backward()
                adam.step()
            if device == "cuda":
                torch.cuda.synchronize()

        steps(torch.randperm(min(2000, options.images), device=device))
        begin = time.monotonic()
        steps(torch.randperm(options.images, device=device))
        return time.monotonic() - begin

    def row(models, form, seconds):
        rows.append({"what": "figure", "models": models, "with": f"PyTorch, {form}", "device": name, "seconds": seconds})
        print(rows[-1])

    one = epoch(1) * options.epochs
    row(1, "eager", one)
    # One after the other takes as many times as long.
    row(10, "eager, ten times one", 10 * one)
    for models in options.figure_seeds:
        if time.monotonic() - options.begin < options.seconds:
            row(models, "one batched model", epoch(models) * options.epochs)
    return rows


def write(options, rows):
    def number(value):
        return "not run" if value is None else f"{value:.2f}"

    lines = ["| what | models | with | seconds of training | seconds a model |", "|---|---|---|---|---|"]
    for row in rows:
        each = None if row["seconds"] is None else row["seconds"] / row["models"]
        cells = [row["what"], str(row["models"]), row["with"], number(row["seconds"]), number(each)]
        lines.append("| " + " | ".join(cells) + " |")
    devices = sorted({row["device"] for row in rows if "device" in row})
    took = time.monotonic() - options.begin
    note = f"{options.epochs} epoch(s) of {options.images} images; on {', '.join(devices)}; {took:.0f} s in all."
    table = "\n".join([note, "", *lines, ""])
    (options.out / "table.md").write_text(table)
    (options.out / "rows.json").write_text(json.dumps(rows, indent=1))
    print(table)


if __name__ == "__main__":
    main()
