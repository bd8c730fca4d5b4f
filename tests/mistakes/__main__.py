"""python -m tests.mistakes: try every slip, and print the table of docs/gradcheck.md."""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np

import numpy_rnn as nr
from tests.mistakes.catalogue import SLIPS
from tests.mistakes.pieces import red_test
from tests.mistakes.trial import try_slip

SHAPES = 1_000  # random shapes of correct layers, in which gradcheck must find no error


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.mistakes", description=__doc__)
    parser.add_argument("--list", action="store_true", help="print every slip with its outcome")
    parser.add_argument("--show", metavar="NAME", help="print gradcheck's report on one slip")
    arguments = parser.parse_args()
    if arguments.show:
        print(next(try_slip(slip).report for slip in SLIPS if slip.name == arguments.show))
        return
    outcomes = [(slip, try_slip(slip)) for slip in SLIPS]
    if arguments.list:
        for slip, outcome in outcomes:
            columns = bool(outcome.red), outcome.found, outcome.line, outcome.named
            marks = "".join("-" if ok is None else "x" if ok else " " for ok in columns)
            print(f"[{marks}] {slip.piece}: {slip.name}")
        print()
    print_table(outcomes)
    alarms = sum(not nr.gradcheck(*arguments).ok for arguments in random_subjects(SHAPES))
    red = [piece for piece in sorted({slip.piece for slip in SLIPS}) if red_test(piece)]
    print(
        f"\nOn the correct code: {len(red)} pieces with a failing test, "
        f"{alarms} false alarms of gradcheck in {SHAPES} random shapes."
    )


def print_table(outcomes):
    pieces = defaultdict(list)
    for slip, outcome in outcomes:
        pieces[slip.piece.partition(",")[0]].append((slip, outcome))
    print("| piece | mistakes | tests fail | fails on the right tensors | faulty line named | cause named |")
    print("|---|---:|---:|---:|---:|---:|")
    for piece, tried in [*pieces.items(), ("all", outcomes)]:
        told = [[o.found, o.line, o.named] for _, o in tried if o.found is not None]
        columns = [counted(column) for column in zip(*told, strict=True)] or ["(no backward pass)", "", ""]
        print(f"| {piece} | {len(tried)} | {sum(bool(o.red) for _, o in tried)} | {' | '.join(columns)} |")


def counted(column):
    told = [ok for ok in column if ok is not None]
    return f"{sum(told)} of {len(told)}"


def random_subjects(count):
    """Yield correct layers, with inputs, in random shapes."""
    rng = np.random.default_rng(0)
    for n in range(count):
        T, B, E, H, V = rng.integers(1, 8, 5)
        tokens, x, h_0 = rng.integers(0, V, (T, B)), rng.standard_normal((T, B, E)), rng.standard_normal((1, B, H))
        yield [
            (nr.Linear(E, H, rng=rng), x),
            (nr.Embedding(V, E, rng=rng), tokens),
            (nr.CrossEntropyLoss(), 10.0 ** rng.uniform(-1, 3) * rng.standard_normal((T * B, V)), tokens.ravel()),
            (nr.RNN(E, H, rng=rng), x, h_0),
            (nr.RNN(E, H, 2, "relu", bidirectional=True, dropout=0.3, rng=rng), x, np.tile(h_0, (4, 1, 1))),
            (nr.CharRNN(V, E, H, rng=rng), tokens, h_0),
        ][n % 6]


if __name__ == "__main__":
    main()
