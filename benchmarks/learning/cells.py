"""Train the tanh RNN, the GRU and the LSTM on a text, with the same number of parameters and steps.

`python -m benchmarks.learning.cells FILE` trains each cell in a process of its own with one thread, all at once, and
prints a table of validation losses and times. `--save FILE.jsonl` keeps every evaluation, and `--load FILE.jsonl`
prints the table of a saved comparison and draws it.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby, product
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.show.report import table
from numpy_rnn.cli.arguments import positive, positive_int
from numpy_rnn.display.pictures import BLUE, GREEN, RED, figures
from numpy_rnn.layers import CELLS
from numpy_rnn.text.corpus import read_text
from numpy_rnn.text.vocabulary import tokenize
from numpy_rnn.training.options import Options
from numpy_rnn.training.trainer import Trainer

__all__ = ["draw", "hidden_sizes", "main", "report"]

EVALUATIONS = 10
NAMES = {"rnn": "tanh RNN", "gru": "GRU", "lstm": "LSTM"}
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
Line = dict[str, Any]  # one evaluation of one run


def parameters(cell: str, V: int, E: int, H: int) -> int:
    """Return the number of parameters of a CharRNN with one layer."""
    return V * E + CELLS[cell].cell.gates * H * (E + H + 2) + V * (H + 1)


def hidden_sizes(V: int, E: int, H: int) -> dict[str, int]:
    """Return the hidden size of each cell with about as many parameters as an LSTM with H."""
    wanted = parameters("lstm", V, E, H)
    return {cell: min(range(1, 4 * H), key=lambda h: abs(parameters(cell, V, E, h) - wanted)) for cell in NAMES}


def run(job: tuple[str, dict[str, Any]]) -> list[Line]:
    """Train one model, and return a line for each evaluation. Runs in a process of its own."""
    path, options = job
    trainer = Trainer(*tokenize(read_text(path)), Options(num_layers=1, val_chars=10**9, **options))
    lines = [_evaluate(trainer)]
    while not trainer.done:
        trainer.train_step()
        if trainer.step % trainer.plan.eval_every == 0 or trainer.done:
            lines.append(_evaluate(trainer))
    print(
        f"{options['cell']}, lr {options['lr']:g}, seed {options['seed']}: {lines[-1]}", file=sys.stderr, flush=True
    )
    return lines


def _evaluate(trainer: Trainer) -> Line:
    plan = trainer.plan
    kept = {name: getattr(plan, name) for name in ("cell", "lr", "seed", "hidden_size", "batch_size", "seq_len")}
    size = trainer.model.parameters().data.size
    done = {"step": trainer.step, "seconds": trainer.seconds, "val_loss": trainer.evaluate()["val_loss"]}
    return kept | {"parameters": size} | done


def report(lines: Sequence[Line]) -> str:
    """Return a table with one row per cell and step size: means over the seeds at the last step."""
    rows = []
    for (cell, lr), runs in _runs(lines):
        last = [run[-1] for run in runs]
        loss, seconds = mean(line["val_loss"] for line in last), mean(line["seconds"] for line in last)
        spread = max(line["val_loss"] for line in last) - min(line["val_loss"] for line in last)
        sizes = f"{last[0]['hidden_size']}", f"{last[0]['parameters']:,}", f"{lr:g}"
        losses = f"{loss:.4f}", f"{spread:.4f}", f"{loss / math.log(2):.3f}"
        rows.append([NAMES[cell], *sizes, *losses, f"{seconds:.0f}", f"{1000 * seconds / last[0]['step']:.1f}"])
    columns = ("cell", "H", "parameters", "lr", "val. loss", "range", "bits/char", "seconds", "ms per step")
    return table(columns, rows)


def draw(lines: Sequence[Line], path: Path) -> None:
    """Draw validation loss against steps and against seconds, for the best step size of each cell."""
    runs = _runs(lines)
    with figures() as Figure:
        figure = Figure(figsize=(11, 4.5), dpi=100)
        panels = figure.subplots(1, 2, sharey=True)
        for cell, colour in zip(NAMES, (RED, GREEN, BLUE), strict=True):
            tried = [curves for (name, _), curves in runs if name == cell]
            best = min(tried, key=lambda curves: mean(curve[-1]["val_loss"] for curve in curves), default=[])
            for axes, x in zip(panels, ("step", "seconds"), strict=True):
                for i, curve in enumerate(best):
                    points = [(line[x], line["val_loss"]) for line in curve[1:]]
                    axes.plot(*zip(*points, strict=True), "o-", color=colour, label=NAMES[cell] if i == 0 else None)
                axes.set_xlabel({"step": "step", "seconds": "seconds of training, one core"}[x])
        panels[0].set_ylabel("validation loss, nats per character")
        panels[0].legend()
        figure.savefig(path, metadata={"Software": None})


def _runs(lines: Sequence[Line]) -> list[tuple[tuple[str, float], list[list[Line]]]]:
    """Return, for each cell and step size, one list of lines per seed."""
    order = sorted(lines, key=lambda line: (list(NAMES).index(line["cell"]), line["lr"], line["seed"], line["step"]))
    groups = groupby(order, key=lambda line: (line["cell"], line["lr"]))
    return [(key, [list(run) for _, run in groupby(group, key=lambda line: line["seed"])]) for key, group in groups]


def _train(arguments: argparse.Namespace) -> Iterator[list[Line]]:
    _, vocabulary = tokenize(read_text(arguments.file))
    sizes = hidden_sizes(len(vocabulary), Options().embedding_dim, arguments.hidden_size)
    common = {"steps": arguments.steps, "seq_len": arguments.seq_len, "batch_size": arguments.batch_size}
    common["eval_every"] = max(1, arguments.steps // EVALUATIONS)
    chosen = product(arguments.seed, arguments.lr, sizes.items())
    jobs = [
        (arguments.file, {**common, "cell": c, "hidden_size": H, "lr": lr, "seed": s}) for s, lr, (c, H) in chosen
    ]
    os.environ.update(dict.fromkeys(THREADS, "1"))  # for the processes, which import NumPy anew
    with multiprocessing.get_context("spawn").Pool(min(len(jobs), arguments.processes)) as pool:
        yield from pool.imap_unordered(run, jobs)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning.cells", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("file", nargs="?", metavar="FILE", help="text file in UTF-8")
    add("--hidden-size", type=positive_int, default=192, help="of the LSTM; the others have as many parameters (192)")
    add("--steps", type=positive_int, default=2590, help="number of training steps (2590)")
    add("--seq-len", type=positive_int, default=64, help="characters per window (64)")
    add("--batch-size", type=positive_int, default=32, help="number of streams (32)")
    add(
        "--lr", type=positive, nargs="+", default=[0.002, 0.005], help="step sizes to try for each cell (0.002 0.005)"
    )
    add("--seed", type=int, nargs="+", default=[0, 1], help="random seeds (0 1)")
    add("--processes", type=positive_int, default=os.cpu_count(), help="how many to run at once (all cores)")
    add("--save", type=Path, metavar="FILE.jsonl", help="write every evaluation to this file")
    add("--load", type=Path, metavar="FILE.jsonl", help="show a saved comparison, and draw it in FILE.png")
    arguments = parser.parse_args(argv)
    if (arguments.file is None) == (arguments.load is None):
        parser.error("one of FILE and --load is required")
    lines: list[Line] = []
    if arguments.load:
        lines = [json.loads(line) for line in arguments.load.read_text().splitlines()]
        draw(lines, arguments.load.with_suffix(".png"))
    else:
        for done in _train(arguments):
            lines += done
            if arguments.save:  # after each run, so that a stopped comparison leaves what it has
                arguments.save.write_text("".join(json.dumps(line) + "\n" for line in lines))
    print(report(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
