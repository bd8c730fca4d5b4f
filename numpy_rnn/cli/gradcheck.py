"""numpy-rnn gradcheck: check backward passes, those of this package or your own."""

from __future__ import annotations

import argparse
from typing import Any

from numpy_rnn.cli.arguments import seed

__all__ = ["add"]


def add(commands: Any) -> None:
    command = commands.add_parser(
        "gradcheck",
        help="check backward passes: your own, or those of this package",
        description="Compare a backward pass with numerical derivatives, and report which gradients are wrong, where "
        "and why. Without FILE, check every layer of this package. The exit status is 1 if a gradient is wrong.",
        epilog="FILE is executed, as Python would execute it.",
    )
    command.add_argument(
        "target",
        nargs="?",
        metavar="FILE.py:EXPRESSION",
        help="a layer, its class, or a pair of functions, such as my.py:MyRNN, 'my.py:MyRNN(8)' or 'my.py:fwd, bwd'",
    )
    words = "an argument of forward: x=4,3 for normal random numbers of this shape, x=4,3:10 for integers below 10"
    command.add_argument("--input", action="append", default=[], metavar="NAME=SHAPE", help=words)
    words = "the same, for the params of a pair of functions"
    command.add_argument("--param", action="append", default=[], metavar="NAME=SHAPE", help=words)
    words = "numerical method (complex step if forward allows it)"
    command.add_argument("--method", choices=["complex step", "differences"], help=words)
    command.add_argument("--seed", type=seed, default=0, help="random seed for inputs and upstream gradients")
    command.add_argument("--plot", metavar="PNG", help="draw the (last) report; needs matplotlib")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from numpy_rnn.gradient_checking.targets import check_file, check_shipped

    options = {"method": arguments.method, "seed": arguments.seed}
    if arguments.target is None:
        if arguments.input or arguments.param:
            raise ValueError("--input and --param need a layer to check: name it, path/to/file.py:ClassOrPair")
        reports = check_shipped(**options)
    else:
        reports = iter([check_file(arguments.target, arguments.input, arguments.param, **options)])
    ok = True
    for report in reports:
        print(report, end="\n\n")
        ok &= report.ok
    if arguments.plot:
        report.plot(arguments.plot)
    return 0 if ok else 1
