#!/usr/bin/env python3
"""Many models at once on a GPU: layerwise on wgpu and cuda, and PyTorch on the same card.

Needs nothing but the built program and Python, with PyTorch for the comparison; no Rust and no network. Build the program
where there is Rust (the first build with `cuda` fetches an LLVM from GitHub), and take it along with the folders data/mnist and
benches/gpu:

    cargo build --release --features cuda && strip target/release/layerwise
    python3 benches/gpu/run.py target/release/layerwise --data data/mnist --out gpu-results

Figure 5-6 with one sparsity weight and 3, 32 and 400 seeds, and D of the second experiment with 10 and 100 seeds. Before a
backend is timed, results of a short run are compared with those of flex; where they differ, it is not timed. A backend
that the program or the machine lacks is told and left out, and so is a software renderer, which times nothing.

An epoch is the last of a run, from one line of its output to the next: kernels are compiled by then, and the evaluation
after the epoch is counted, which PyTorch is spared. For D it is an epoch of fine-tuning.

Every part is a process with a limit of time, and its output is kept. One that fails or takes too long costs itself
alone: its row says so, and the table is written anew after every row. The exit code is 1 if any part failed.

`--tiny` is the same with sizes that a software renderer can bear, to try the script itself. So it was tried, as no card was
at hand: 400 images on Mesa's software Vulkan with PyTorch on two cores of a CPU, 6 minutes on two cores, every part but `cuda`;
and with a program that pretended two cards, to see failing, hanging and disagreeing parts end as they should.
"""

import argparse
import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
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
pretraining.epochs = 1
"""

CONFIGS = {"figure": FIGURE, "D": D}
# What a short run is compared by: the file of its folder and the number in each line.
COMPARED = {
    "figure": [("metrics.jsonl", "test_reconstruction")],
    "D": [("stages.jsonl", "reconstruction"), ("metrics.jsonl", "test_cost")],
}
# Relative; a card may multiply with fewer digits than a processor.
TOLERANCE = 1e-2


def main():
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    backends = [name for name in options.backends if offered(options, name)]
    write(options)
    pytorch(options)
    for what in ["figure", "D"]:
        agreeing = [backend for backend in backends if agrees_with_flex(options, what, backend)]
        for seeds in options.seeds[what]:
            for backend in agreeing:
                timed(options, what, seeds, backend)
    print(write(options))
    sys.exit(1 if any("trouble" in row for row in options.rows) or options.disagreed else 0)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("data/mnist"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("gpu-results"))
    parser.add_argument("--backends", nargs="+", default=["wgpu", "cuda"])
    parser.add_argument("--epochs", type=int, default=2, help="of figure and fine-tuning; at least 2")
    parser.add_argument("--seconds", type=float, help="for everything (460; tiny 1800)")
    parser.add_argument("--part-seconds", type=float, help="for each part (75; tiny 400)")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    if not options.program.is_file():
        parser.error(f"{options.program} is not there")
    options.program = options.program.resolve()
    options.seconds = options.seconds or (1800 if options.tiny else 460)
    options.part_seconds = options.part_seconds or (400 if options.tiny else 75)
    options.end = time.monotonic() + options.seconds
    options.images = 400 if options.tiny else 60000
    options.test_images = 100 if options.tiny else 10000
    options.seeds = {"figure": [3, 4], "D": [2]} if options.tiny else {"figure": [3, 32, 400], "D": [10, 100]}
    options.layers = [20, 20] if options.tiny else [100] * 15
    options.rows, options.notes, options.disagreed = [], [], False
    return options


def offered(options, backend):
    """Whether the program can use the backend here; what it says about it is noted."""
    said = process(options, "backends", [options.program, "backends"])
    lines = [line for _, line in said["lines"] if line.startswith(backend + " ")]
    line = lines[0] if lines else f"{backend} is not known to the program; {said.get('trouble', 'it lists others')}"
    note(options, line)
    return "ready" in line and (options.tiny or "software renderer" not in line)


def process(options, name, command):
    """Runs a command within its limit of time: lines of its output with the moment of each, seconds, and any trouble."""
    begin = time.monotonic()
    limit = min(options.part_seconds, options.end - begin)
    if limit <= 0:
        return {"lines": [], "seconds": 0.0, "trouble": "not begun: time was up"}
    log = options.out / f"{name}.log"
    late = threading.Event()
    with log.open("w") as errors:
        running = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        )

        def kill():
            late.set()
            os.killpg(running.pid, signal.SIGKILL)

        timer = threading.Timer(limit, kill)
        timer.start()
        try:
            lines = [(time.monotonic(), line.rstrip("\n")) for line in running.stdout]
            code = running.wait()
        except BaseException:
            os.killpg(running.pid, signal.SIGKILL)
            raise
        finally:
            timer.cancel()
    result = {"lines": lines, "seconds": time.monotonic() - begin}
    if late.is_set():
        result["trouble"] = f"not done after {limit:.0f} s"
    elif code != 0:
        said = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
        errors = [line for line in said if line.startswith("error")] or said or ["it said nothing"]
        result["trouble"] = f"exit code {code}: {errors[-1]}; see {log.name}"
    return result


def run(options, name, what, seeds, backend, **changes):
    """Runs the program on a config: its folder, and what came of the process."""
    settings = {key: getattr(options, key) for key in ["images", "test_images", "epochs", "layers"]}
    settings |= {"seeds": list(range(seeds)), "data": options.data.resolve().as_posix()} | changes
    name = f"{name}-{seeds}-{backend}"
    config = options.out / f"{name}.toml"
    config.write_text(CONFIGS[what].format(**settings))
    folder = options.out / name
    shutil.rmtree(folder, ignore_errors=True)
    return folder, process(options, name, [options.program, config, "--backend", backend, "--plain", "--out", folder])


def agrees_with_flex(options, what, backend):
    """A short run on the backend and on flex: the same errors and costs, up to rounding."""
    changes = {"images": min(options.images, 2000), "test_images": 100, "layers": options.layers[:3], "epochs": 1}
    found = {}
    for where in ("flex", backend):
        folder, ended = run(options, f"agree-{what}", what, 2, where, **changes)
        found[where] = understood(ended, lambda: compared(folder, what))
        if "trouble" in ended:
            options.disagreed = True
            note(options, f"{backend}, {what}: not compared and not timed; on {where}: {ended['trouble']}")
            return False
    pairs = list(zip(found[backend], found["flex"]))
    worst = max((abs(a / b - 1) if a and b else math.inf for a, b in pairs), default=math.inf)
    agrees = len(found[backend]) == len(found["flex"]) and worst <= TOLERANCE
    options.disagreed |= not agrees
    end = "" if agrees else ": they disagree, and nothing is timed"
    note(options, f"{backend}, {what}: {len(pairs)} errors and costs differ from flex's by {worst:.1e} at most{end}")
    return agrees


def timed(options, what, seeds, backend):
    row = {"what": what, "models": seeds, "with": f"layerwise, {backend}"}
    folder, ended = run(options, what, what, seeds, backend)
    row |= understood(ended, lambda: measured(folder, ended, options.epochs)) or {"trouble": ended["trouble"]}
    add(options, row)


def measured(folder, ended, epochs):
    manifest = json.loads((folder / "manifest.json").read_text())
    # The first line of each epoch: models come together.
    begins = {}
    for moment, line in ended["lines"]:
        if line.startswith("epoch "):
            begins.setdefault(int(line.split()[1].split("/")[0]), moment)
    return {
        "device": manifest["device"],
        "training": manifest["seconds"]["training"],
        "process": ended["seconds"],
        "epoch": begins[epochs] - begins[epochs - 1],
    }


def compared(folder, what):
    return [json.loads(line)[key] for file, key in COMPARED[what] for line in (folder / file).read_text().splitlines()]


def understood(ended, read):
    """What `read` finds in the files of a process that came to its end; anything else is trouble, of that part alone."""
    if "trouble" not in ended:
        try:
            return read()
        except (OSError, KeyError, ValueError) as error:
            ended["trouble"] = f"its files are not as expected: {error!r}"
    return None


def pytorch(options):
    """The figure in PyTorch, in a process of its own; what it had measured before a failure counts."""
    script = pathlib.Path(__file__).with_name("figure_torch.py")
    sizes = options.seeds["figure"]
    ended = process(options, "pytorch", [sys.executable, script, "--images", options.images, *sizes])
    rows = [json.loads(line) for _, line in ended["lines"] if line.startswith("{")]
    for row in rows:
        add(options, {"what": "figure"} | row)
    for models in sizes[max(len(rows) - 1, 0) :]:
        trouble = ended.get("trouble", "no row")
        add(options, {"what": "figure", "models": models, "with": "PyTorch, one batched model", "trouble": trouble})


def note(options, text):
    options.notes.append(text)
    print(text, flush=True)


def add(options, row):
    options.rows.append(row)
    print(row, flush=True)
    write(options)


def write(options):
    """The table as it stands, into its file."""

    def number(row, key, per=1):
        return f"{row[key] / per:.4g}" if key in row else ""

    lines = ["| what | models | with | an epoch, s | an epoch and model, ms | training in all, s | process, s | |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for row in options.rows:
        cells = [row["what"], str(row["models"]), row["with"], number(row, "epoch")]
        cells += [number(row, "epoch", row["models"] / 1000), number(row, "training"), number(row, "process")]
        cells += [row.get("trouble", "").replace("|", "/")]
        lines.append("| " + " | ".join(cells) + " |")
    took = time.monotonic() - (options.end - options.seconds)
    devices = ", ".join(sorted({row["device"] for row in options.rows if "device" in row})) or "nothing yet"
    notes = [f"- {text}" for text in [*options.notes, *aim(options.rows)]]
    notes += [f"- {options.images} images an epoch, batches of 100; on {devices}; {took:.0f} s so far."]
    table = "\n".join([*lines, "", *notes, ""])
    (options.out / "table.md").write_text(table)
    (options.out / "rows.json").write_text(json.dumps(options.rows, indent=1))
    return table


def aim(rows):
    """The most models of the figure that each backend trains at once, against ten of PyTorch one after the other."""
    figure = [row for row in rows if row["what"] == "figure" and "epoch" in row]
    eager = next((row["epoch"] for row in figure if row["with"] == "PyTorch, eager"), None)
    most = {row["with"]: row for row in figure if row["with"].startswith("layerwise")}
    for name, row in most.items():
        if eager:
            ratio = row["epoch"] / (10 * eager)
            yield f"{row['models']} models on {name}: {ratio:.2f} times as long as 10 in PyTorch, eager, one after the other"


if __name__ == "__main__":
    main()
