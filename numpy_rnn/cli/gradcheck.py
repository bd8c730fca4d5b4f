"""numpy-rnn gradcheck: check backward passes, the package's own or one of yours."""

from __future__ import annotations

import argparse
from typing import Any

from numpy_rnn.cli.arguments import seed

__all__ = ["add"]


def add(commands: Any) -> None:
    command = commands.add_parser(
        "gradcheck",
        help="check backward passes: the package's own, or one of yours",
        description="Compare backward passes with numerical derivatives, and say what is wrong, where, and the "
        "likely mistake. Without FILE, every layer of this package. The exit status is 1 if a gradient is wrong.",
        epilog="FILE is run, as python would run it.",
    )
    command.add_argument(
        "target",
        nargs="?",
        metavar="FILE.py:EXPRESSION",
        help="a layer, a class that needs no arguments, or a pair: my.py:MyRNN, 'my.py:MyRNN(8)', 'my.py:fwd, bwd'",
    )
    array = "name=shape for numbers from N(0, 1), as x=4,3,8, or name=shape:n for integers below n; one for each"
    command.add_argument("--input", action="append", default=[], metavar="NAME=SHAPE", help=array)
    command.add_argument(
        "--param", action="append", default=[], metavar="NAME=SHAPE", help="the same, for the params of a pair"
    )
    command.add_argument("--method", choices=["complex step", "differences"], help="default: what forward allows")
    command.add_argument("--seed", type=seed, default=0, help="of all random numbers")
    command.add_argument("--plot", metavar="PNG", help="draw the (last) report; needs the extra 'plot'")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from numpy_rnn.gradient_checking.command import check_file, check_shipped

    options = {"method": arguments.method, "seed": arguments.seed}
    if arguments.target is None:
        if arguments.input or arguments.param:
            raise ValueError("--input and --param belong to a file's layer: name it, path/to/file.py:ClassOrPair")
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
