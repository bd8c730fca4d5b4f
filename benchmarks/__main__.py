"""`python -m benchmarks`: run the race, show it, keep it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.ablation import ladder, run_ablation
from benchmarks.arguments import check_place, require, threads
from benchmarks.cases import CURVES, GRID, OTHERS, QUICK, Case, curve_cases
from benchmarks.contestants import AGAIN, CONTESTANTS, OURS, Contestant, Unavailable
from benchmarks.learning import command as learning
from benchmarks.measure.machine import available_cores
from benchmarks.measure.race import Heat, Protocol, run_race
from benchmarks.measure.results import Race
from benchmarks.measure.saved import keep
from benchmarks.measure.workers import WorkerError
from benchmarks.show.compare import comparison
from benchmarks.show.live import Live
from benchmarks.show.plot import draw
from benchmarks.show.report import markdown
from numpy_rnn.cli import discard_output


def main(argv: Sequence[str] | None = None) -> int:
    """Return 0; 1 where the race failed or may not be published; 2 for wrong usage."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        return learning.run(argv[1:]) if argv[:1] == ["learning"] else _race(argv)
    except BrokenPipeError:  # whoever read the report has had enough
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
    runs = arguments.quick or arguments.case or arguments.contestant or arguments.threads
    if (arguments.load and (runs or arguments.ablation)) or (arguments.ablation and (runs or arguments.publish)):
        parser.error("--load and --ablation stand alone: they do not go with options of another race")
    try:
        old = Race.load(arguments.compare) if arguments.compare else None
        loaded = Race.load(arguments.load) if arguments.load else None
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if arguments.publish is not None:
        check_place(arguments.publish)
    if arguments.ablation:
        print(ladder(run_ablation()), flush=True)
        return 0
    return _show(loaded or _run(arguments), old, arguments.publish)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Race numpy_rnn against PyTorch, JAX and plain NumPy: ten minutes for everything.",
        epilog="Another race, of learning a text: python -m benchmarks learning FILE, see learning --help.",
    )
    parser.add_argument("--quick", action="store_true", help="a look within a minute, not for publication")
    parser.add_argument(
        "--case",
        type=_case,
        action="append",
        metavar="V,E,H,T,B",
        help="a training step of your own shape, only this",
    )
    parser.add_argument(
        "--contestant",
        action="append",
        choices=[c.name for c in CONTESTANTS],
        help="only these (and numpy_rnn, which the others are compared with)",
    )
    parser.add_argument(
        "--threads", type=threads, action="append", help="thread settings; without it 1 and all cores"
    )
    parser.add_argument(
        "--ablation", action="store_true", help="the ladder from the textbook to numpy_rnn instead, one trick a rung"
    )
    parser.add_argument("--compare", type=Path, metavar="OLD.json", help="say what changed since an older race")
    parser.add_argument("--load", type=Path, metavar="RACE.json", help="show a race that was saved, run none")
    parser.add_argument(
        "--publish",
        type=Path,
        metavar="FOLDER",
        help="write race.json, race.md and the pictures there, unless the A/A control forbids it",
    )
    return parser


def _case(text: str) -> Case:
    try:
        return Case.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _run(arguments: argparse.Namespace) -> Race:
    require("threadpoolctl", "reading thread counts back needs")
    chosen = _contestants(arguments.contestant, arguments.quick)
    cases = arguments.case or (QUICK if arguments.quick else (*GRID, *OTHERS))
    for contestant in chosen if arguments.contestant else ():
        if not any(case.task in contestant.tasks for case in cases):
            raise Unavailable(
                f"{contestant.name} takes no part in these cases, only in {', '.join(contestant.tasks)}"
            )
    heats = [Heat(case, (*chosen, AGAIN)) for case in dict.fromkeys(cases)]
    if not arguments.case and not arguments.quick:
        curves = dict.fromkeys(case for axis in CURVES for case in curve_cases(axis))
        heats += [Heat(case, tuple(c for c in chosen if c.curves), brief=True) for case in curves]
    settings = arguments.threads or ([1] if arguments.quick else [1, available_cores()])
    protocol = Protocol(2, 0.03, 2, 45) if arguments.quick else Protocol(5, 0.1, 4, 500)
    race = run_race(heats, sorted(set(settings)), protocol, Live([c.name for c in chosen]))
    keep(race)
    return race


def _contestants(names: Sequence[str] | None, quick: bool) -> tuple[Contestant, ...]:
    """Return those that were asked for; a quick look leaves out what compiles for as long as it would run."""
    if names:
        return tuple(c for c in CONTESTANTS if c.name in names or c is OURS)
    return tuple(c for c in CONTESTANTS if not (quick and c.name == "torch-compile"))


def _show(race: Race, old: Race | None, publish: Path | None) -> int:
    print(markdown(race), flush=True)
    if old is not None:
        print(comparison(race, old))
    if publish is None:
        return 0
    reasons = race.not_publishable()
    if reasons:
        print(f"benchmarks: not published: {'; '.join(reasons)}", file=sys.stderr)
        return 1
    race.save(publish / "race.json")
    (publish / "race.md").write_text(markdown(race))
    for path in draw(race, publish):
        print(f"drew {path}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
