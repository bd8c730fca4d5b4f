"""python -m tests.foreign: try every slip in layers of other styles than this package's, and print a table."""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np

import numpy_rnn as nr
from tests.foreign.catalogue import SLIPS
from tests.foreign.points import POINTS, arguments, random_sizes
from tests.foreign.trial import right_layer, try_slip

SHAPES = 20  # random shapes of each right layer, in which gradcheck must find no error and suspect no line


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.foreign", description=__doc__)
    parser.add_argument("--list", action="store_true", help="also print each slip with its three outcomes")
    parser.add_argument("--show", metavar="NAME", help="print gradcheck's report on a slip, 'LAYER: NAME' or 'NAME'")
    parser.add_argument("--layer", choices=list(POINTS), help="try the slips in one layer only")
    parser.add_argument("--shapes", type=int, default=SHAPES, help="random shapes of each right layer (default: 20)")
    options = parser.parse_args()
    if options.show:
        found = [slip for slip in SLIPS if options.show in (str(slip), slip.name)]
        if not found:
            parser.error(f"there is no slip {options.show!r}: see --list")
        print("\n\n".join(f"{slip}\n\n{try_slip(slip).report}" for slip in found))
        return
    layers = [options.layer] if options.layer else list(POINTS)
    outcomes = defaultdict(list)
    for slip in SLIPS:
        if slip.layer in layers:
            outcome = try_slip(slip)
            outcomes[slip.layer].append(outcome)
            if options.list:
                marks = "".join("x" if ok else " " for ok in (outcome.found, outcome.line, outcome.explained))
                print(f"[{marks}] {slip}", flush=True)
    print_table(outcomes)
    accused = [layer for layer in layers for seed in range(options.shapes) if is_accused(layer, seed)]
    print(f"\nOn right code, in {options.shapes * len(layers)} random shapes: {len(accused)} accusations", end="")
    print(f" ({', '.join(sorted(set(accused)))})." if accused else ".")


def print_table(outcomes):
    print("| layer | slips | fails on the right tensors | faulty line named | explanation right |")
    print("|---|---:|---:|---:|---:|")
    total = np.zeros(4, int)
    for layer, tried in outcomes.items():
        row = [len(tried), *(sum(getattr(o, column) for o in tried) for column in ("found", "line", "explained"))]
        total += row
        print(f"| {layer} | {' | '.join(map(str, row))} |")
    print(f"| all | {' | '.join(map(str, total))} |")


def is_accused(layer, seed):
    """Whether gradcheck finds an error in the right layer, or in a line of it, in a random shape."""
    sizes = random_sizes(np.random.default_rng(seed))
    report = nr.gradcheck(*arguments(layer, right_layer(layer), sizes, seed))
    verdicts = {line.verdict for line in report.lines}
    return not report.ok or report.suspect is not None or bool(verdicts & {"wrong", "follows from a wrong one"})


if __name__ == "__main__":
    main()
