"""`python -m benchmarks scaling`: two ranks against two threads and against torch, and a model of more ranks."""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from shutil import which
from statistics import median
from typing import Any

from benchmarks.cases import GRID
from benchmarks.command import require
from benchmarks.contestants import Unavailable
from benchmarks.measure.machine import ROOT, available_cores, describe
from benchmarks.measure.statistics import bootstrap_median
from benchmarks.measure.worker import environment
from benchmarks.measure.workers import WorkerError
from benchmarks.problem import Problem
from benchmarks.scaling.model import NETWORKS, draw, fit_network, fit_step
from benchmarks.show.report import duration, table

__all__ = ["run"]

CASES = (GRID[3], GRID[4])
TEAMS = (  # kind, ranks, threads of each; the first one is the measure
    ("numpy_rnn", 1, 1),
    ("numpy_rnn", 1, 2),
    ("numpy_rnn", 2, 1),
    ("torch", 1, 2),
    ("torch", 2, 1),
)
ROUNDS, SECONDS = 5, 2.0


def run(argv: Sequence[str]) -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks scaling",
        description="Train with two ranks of one thread, with one process of two threads, and with torch's "
        "DistributedDataParallel; measure an Allreduce; and draw what a model expects of up to 1,024 ranks. Takes "
        "three minutes and two cores.",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"processes of each team ({ROUNDS})")
    parser.add_argument(
        "--picture", type=Path, default=ROOT / "build" / "scaling.png", metavar="FILE", help="build/scaling.png"
    )
    arguments = parser.parse_args(argv)
    for module, purpose in (("mpi4py", "for the ranks"), ("torch", "to compare with"), ("matplotlib", "to draw")):
        require(module, purpose)
    if available_cores() < 2:
        raise Unavailable("two ranks need two cores, this machine has one")
    machine = describe()
    print(f"- {machine['cpu']}, {machine['cores']} cores, {machine['system']}\n- Python {machine['python']}, commit "
          f"{machine['commit']}, {machine['date']}; {arguments.rounds} processes per team\n")  # fmt: skip
    arguments.picture.parent.mkdir(parents=True, exist_ok=True)
    _teams(arguments.rounds)
    _model(arguments.picture)
    return 0


def _teams(rounds: int) -> None:
    """Print the time of a step of each team, and the ratio to one rank with one thread, paired by round."""
    rows = []
    for case in CASES:
        times: dict[Any, list[float]] = {team: [] for team in TEAMS}
        losses: list[float] | None = None
        for number in range(rounds):
            order = list(TEAMS)
            random.shuffle(order)
            for team in order:
                answer = _run_team(*team, shape=_shape(case))
                times[team].append(median(answer["seconds"]))
                losses = losses or answer["losses"]
                if any(abs(a - b) > 1e-4 for a, b in zip(losses, answer["losses"], strict=True)):
                    raise WorkerError(f"{_name(*team)} has losses {answer['losses']}, another team {losses}")
            print(f"{case}: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        for team in TEAMS:
            ratio = bootstrap_median([[a / b] for a, b in zip(times[TEAMS[0]], times[team], strict=True)])
            speed = f"**{ratio.median:.2f}** [{ratio.low:.2f}, {ratio.high:.2f}]"
            rows.append([str(case), _name(*team), duration(median(times[team])), speed])
    print(table(["V, E, H, T, B", "team", "step", "speed, one rank with one thread is 1"], rows), flush=True)


def _model(picture: Path) -> None:
    """Measure what the model needs, print it, and draw the model."""
    case = CASES[0]
    size = 4 * sum(w.size for w in Problem.draw(case).weights.values())
    streams = [case.B >> k for k in range(case.B.bit_length())]
    seconds = {}
    for b in streams:
        shape = f"{case.V},{case.E},{case.H},{case.T},{b}"
        seconds[b] = median(_run_team("numpy_rnn", 1, 1, shape=shape)["seconds"])
    small, large = (median(_run_team("allreduce", 2, 1, numbers=n)["seconds"]) for n in (1, size // 4))
    model, here = fit_step(seconds, size), fit_network(small, large, size)
    networks = {"two ranks on this machine": here} | NETWORKS
    times = ", ".join(f"{b}: {duration(s)}" for b, s in seconds.items())
    words = f"a step of b streams takes {duration(model.c_0)} + b * {duration(model.c_1)} (measured: {times})"
    counts = 2, 8, 64, 1024
    rows = [
        [name, duration(net.latency), f"{net.bandwidth / 1e9:.1f} GB/s"]
        + [duration(net.allreduce(ranks, size)) for ranks in counts]
        for name, net in networks.items()
    ]
    head = ["network", "latency", "bandwidth", *(f"Allreduce, {ranks} ranks" for ranks in counts)]
    print(f"\nModel: {size / 4:,.0f} parameters; {words}\n\n{table(head, rows)}")
    twice = f"{case.V},{case.E},{case.H},{case.T},{2 * case.B}"
    two = median(_run_team("numpy_rnn", 2, 1, shape=twice)["seconds"])
    draw(model, networks, case.B, seconds[case.B] / two, picture)
    print(f"drew {picture}", file=sys.stderr)


def _shape(case: Any) -> str:
    return f"{case.V},{case.E},{case.H},{case.T},{case.B}"


def _name(kind: str, ranks: int, threads: int) -> str:
    words = f"{ranks} rank{'s' * (ranks > 1)}, {threads} thread{'s' * (threads > 1)}"
    return f"{kind}, {words}" + (" (DDP over gloo)" if kind == "torch" and ranks > 1 else "")


def _run_team(kind: str, ranks: int, threads: int, shape: str = "2,2,2,2,2", numbers: int = 0) -> dict[str, Any]:
    """Run `team.py` in new processes and return what it prints."""
    mpiexec = which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if mpiexec is None:
        raise Unavailable("mpiexec was not found: install an MPI, such as pip install mpich")
    with tempfile.TemporaryDirectory(prefix="scaling-") as folder:
        env = environment(os.environ, threads, folder) | {"RENDEZVOUS": f"{folder}/rendezvous"}
        command = [mpiexec, "-n", str(ranks), sys.executable, "-m", "benchmarks.scaling.team"]
        arguments = [kind, shape, str(SECONDS), str(numbers)]
        done = subprocess.run([*command, *arguments], cwd=ROOT, env=env, capture_output=True, text=True)
    if done.returncode:
        raise WorkerError(f"{_name(kind, ranks, threads)}: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
