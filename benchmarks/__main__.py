"""`python -m benchmarks`: run the race, print its report, save it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.ablation import ladder, run_ablation
from benchmarks.cases import CURVES, TASKS, Case, cases_of, curve_cases
from benchmarks.command import add_load_and_publish, check_folder, publish, require, threads
from benchmarks.contestants import AGAIN, CONTESTANTS, OURS, Unavailable, mine
from benchmarks.learning import command as learning
from benchmarks.measure.machine import available_cores
from benchmarks.measure.race import Heat, Protocol, run_race
from benchmarks.measure.results import Race
from benchmarks.measure.workers import WorkerError
from benchmarks.scaling import command as scaling
from benchmarks.show.compare import comparison
from benchmarks.show.live import live
from benchmarks.show.plot import draw
from benchmarks.show.report import markdown
from numpy_rnn.cli import discard_output
from numpy_rnn.layers import CELLS


def main(argv: Sequence[str] | None = None) -> int:
    """Return the exit status: 1 if the race failed or may not be published, 2 for wrong usage."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        others = {"learning": learning.run, "scaling": scaling.run}
        return others[argv[0]](argv[1:]) if argv and argv[0] in others else _race(argv)
    except BrokenPipeError:
        discard_output()
        return 0
    except (WorkerError, Unavailable, OSError) as error:
        discard_output()
        print(f"benchmarks: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmarks: interrupted", file=sys.stderr)
        return 130


def _race(argv: Sequence[str]) -> int:
    parser = _parser()
    arguments = parser.parse_args(argv)
    runs = arguments.quick or arguments.cell or arguments.case or arguments.contestant or arguments.threads
    runs = runs or arguments.mine
    if (arguments.load and (runs or arguments.ablation)) or (arguments.ablation and (runs or arguments.publish)):
        parser.error("--load and --ablation cannot be combined with options of another race")
    try:
        old = Race.load(arguments.compare) if arguments.compare else None
        loaded = Race.load(arguments.load) if arguments.load else None
    except (OSError, ValueError) as error:
        parser.error(str(error))
    check_folder(arguments.publish)
    if arguments.ablation:
        print("\n\n".join(map(ladder, run_ablation())), flush=True)
        return 0
    race = loaded or _run(arguments)
    report = markdown(race)
    print(report, flush=True)
    if old is not None:
        print(comparison(race, old))
    return publish(race, "race", report, arguments.publish, lambda folder: draw(race, folder))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Race numpy_rnn against PyTorch, JAX and plain NumPy. The full race takes 25 minutes.",
        epilog="python -m benchmarks learning FILE compares the training on a text, python -m benchmarks scaling "
        "that of several processes: see their --help.",
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="a first impression in under a minute, not for publication")
    add("--case", type=_case, action="append", metavar="V,E,H,T,B", help="run only a training step of this shape")
    add("--cell", action="append", choices=CELLS, help="run this kind of recurrent layer (rnn, a tanh RNN)")
    names = [c.name for c in CONTESTANTS]
    add("--contestant", action="append", choices=names, help="run only this one, and numpy_rnn to compare with")
    add("--mine", metavar="FILE.py:FUNCTION", help="let your own training step take part; see contestants/mine.py")
    add("--threads", type=threads, action="append", help="number of threads (both 1 and all cores)")
    add("--ablation", action="store_true", help="instead, measure what each trick of docs/performance.md adds")
    add("--compare", type=Path, metavar="OLD.json", help="also print what changed since an older race")
    add_load_and_publish(parser, "race.json, race.md and pictures")
    return parser


def _case(text: str) -> Case:
    """Return the training case for a string such as "65,64,100,25,1"."""
    sizes = [int(size) for size in text.split(",") if size.strip().isdecimal()]
    if len(sizes) != 5 or text.count(",") != 4 or min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"expected V,E,H,T,B, five integers of at least 1, got {text!r}")
    V, E, H, T, B = sizes
    return Case(V, E, H, T, B)


def _run(arguments: argparse.Namespace) -> Race:
    require("threadpoolctl", "to read thread counts")
    names, quick, cells = arguments.contestant, arguments.quick, arguments.cell or ["rnn"]
    # The quick race leaves out torch-compile, which would compile for longer than the race takes.
    names = names or [c.name for c in CONTESTANTS if not (quick and c.name == "torch-compile")]
    chosen = [c for c in CONTESTANTS if c is OURS or c.name in names]
    chosen += [mine.contestant(arguments.mine)] if arguments.mine else []
    if arguments.case:
        cases = [replace(case, cell=cell) for cell in cells for case in arguments.case]
    else:
        cases = [case for cell in cells for case in cases_of(cell, quick)]
    for contestant in chosen if arguments.contestant else ():
        if not any(map(contestant.takes, cases)):
            kinds = (replace(cases[0], task=task, cell=cell) for task in TASKS for cell in CELLS)
            only = ", ".join(f"{case.task} with {case.cell}" for case in kinds if contestant.takes(case))
            raise Unavailable(f"{contestant.name} has none of these cases, only {only}")
    heats = [Heat(case, (*chosen, AGAIN)) for case in dict.fromkeys(cases)]
    if "rnn" in cells and not arguments.case and not quick:
        curves = dict.fromkeys(case for axis in CURVES for case in curve_cases(axis))
        heats += [Heat(case, tuple(c for c in chosen if c.curves), brief=True) for case in curves]
    settings = arguments.threads or ([1] if quick else [1, available_cores()])
    protocol = Protocol(2, 0.03, 2, 45) if quick else Protocol(5, 0.1, 4, 500)
    race = run_race(heats, sorted(set(settings)), protocol, live([c.name for c in chosen]))
    race.keep()
    return race


if __name__ == "__main__":
    sys.exit(main())
