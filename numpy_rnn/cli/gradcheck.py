"""numpy-rnn gradcheck: check backward passes, those of this package or your own."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from numpy_rnn.cli.arguments import positive, positive_int, seed
from numpy_rnn.cli.output import check_output, check_picture, write_output, write_picture
from numpy_rnn.cli.random_arrays import SYNTAX, draw
from numpy_rnn.cli.user_file import user_value
from numpy_rnn.display.pictures import figures
from numpy_rnn.display.terminal import quote

__all__ = ["add"]


def add(commands: Any) -> None:
    command = commands.add_parser(
        "gradcheck",
        help="check backward passes: your own, or those of this package",
        description="Compare a backward pass with numerical derivatives, and report which gradients are wrong, where "
        "and why. Without FILE, check every layer of this package. The exit status is 0 if every gradient is right, "
        "1 if one is wrong or was not checked, and 2 for an error.",
        epilog=f"SHAPE is {SYNTAX}, and nothing for a scalar. FILE is executed, as Python would execute it.",
        examples=[
            "gradcheck",
            "gradcheck 'my.py:MyRNN(8, 16)' --input x=5,2,8 --lines",
            "gradcheck 'my.py:forward, backward' --input x=4,3 --input W=3,2 --html page.html",
        ],
    )
    words = "a layer, class, pair (forward, backward) or function that returns a loss and its gradients, such as "
    words += "my.py:MyRNN, 'my.py:MyRNN(8, 16)', 'my.py:fwd, bwd', my.py:softmax_loss or my.py:net.loss"
    command.add_argument("target", nargs="?", metavar="FILE.py:EXPRESSION", help=words)
    for option, metavar, words in (
        ("input", "NAME=SHAPE", "random array for an argument of forward, such as --input x=4,3"),
        ("param", "NAME=SHAPE", "random array for the dictionary of parameters in forward(params, x)"),
        ("init", "NAME=SHAPE", "random array for an argument of the class's constructor"),
        ("constant", "NAME", "array that needs no gradient, such as x or \"bn_param['running_mean']\""),
    ):
        words += "; can be repeated"
        names = [f"--{option}s", f"--{option}"] if option == "constant" else [f"--{option}"]
        command.add_argument(*names, action="append", dest=f"{option}s", metavar=metavar, help=words)
    words = "accept relative errors up to R, such as 1e-6 if the code adds an epsilon or computes in float32"
    command.add_argument("--rtol", type=positive, metavar="R", help=words)
    command.add_argument("--atol", type=positive, metavar="A", help="accept absolute errors up to A")
    coverage = command.add_mutually_exclusive_group()
    words = "check every element (default: along random directions where that would take long)"
    coverage.add_argument("--full", action="store_const", const=True, help=words)
    words = "check each array along N random directions, which is faster, instead of every element"
    coverage.add_argument("--directions", type=positive_int, metavar="N", help=words)
    words = "numerical method (default: complex step if forward allows it)"
    command.add_argument("--method", choices=["complex step", "differences"], help=words)
    command.add_argument("--seed", type=seed, default=0, help="random seed for all random numbers")
    command.add_argument("--plot", metavar="PICTURE", help="draw the report of FILE; needs matplotlib")
    words = "also print the source of backward, with the gradient that each line computes"
    command.add_argument("--lines", action="store_true", help=words)
    words = "write a web page that shows which gradient each line of backward computes"
    command.add_argument("--html", metavar="PAGE", help=words)
    command.set_defaults(run=_run, error_status=2)


def _run(arguments: argparse.Namespace) -> int:
    from numpy_rnn.cli.gradcheck_targets import check_named, check_shipped
    from numpy_rnn.gradient_checking.page import backward_page

    target, picture, page = arguments.target, arguments.plot, arguments.html
    texts = {"--input": arguments.inputs, "--param": arguments.params, "--init": arguments.inits}
    if target is None and (picture is not None or page is not None or arguments.constants or any(texts.values())):
        raise ValueError(f"{', '.join(texts)}, --constant, --plot and --html need a FILE.py:EXPRESSION to check")
    for flag, path, check in (("--plot", picture, check_picture), ("--html", page, check_output)):
        if path is not None:  # before the check, which may take a while
            check(flag, path)
            if not os.access(Path(path).resolve().parent, os.W_OK):
                raise ValueError(f"{flag} {path!r} cannot be written: permission denied")
    if picture is not None:
        with figures():  # raises an error if matplotlib is missing
            pass
    names = ("constants", "rtol", "atol", "full", "directions", "method", "seed")
    options = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    if arguments.directions:
        options["full"] = False
    arrays = [draw(option, given or (), arguments.seed) for option, given in texts.items()]
    reports = check_shipped(**options)
    if target is not None:
        with user_value(target) as checked:
            reports = iter([check_named(checked, target, *arrays, **options)])
    ok = True
    for report in reports:
        print(report, end="\n\n", flush=True)
        if arguments.lines and (report.lines or report.ok):  # otherwise the report says why there are none
            print(report.annotated(), end="\n\n", flush=True)
        ok &= report.ok
    if picture is not None:
        write_picture("--plot", picture, report.plot())
    if page is not None:
        write_output("--html", page, backward_page(report).encode())
        print(f"{quote(page)}: to be opened in a browser")
    return 0 if ok else 1
