"""`--mpi`: several processes that speak with one voice and end together."""

from __future__ import annotations

import argparse
import atexit
import contextlib
import os
import sys
import time
from collections.abc import Iterator

from numpy_rnn.training.loop import Training
from numpy_rnn.training.ranks import Ranks

__all__ = ["closing", "together"]


@contextlib.contextmanager
def together(arguments: argparse.Namespace) -> Iterator[Ranks]:
    """Yield the ranks of this command. Only the first one prints, and an error of one ends all of them.

    Without that, the others would wait for its part of the gradient for ever.
    """
    if not arguments.mpi:
        yield Ranks()
        return
    ranks = Ranks.of_mpiexec()
    with contextlib.ExitStack() as stack:
        if ranks.rank > 0:
            nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
            stack.enter_context(contextlib.redirect_stdout(nowhere))
            stack.enter_context(contextlib.redirect_stderr(nowhere))
        try:
            yield ranks
        except BaseException:
            if ranks.size > 1:
                # What all find out alike, the first one says, and ends the others while they wait.
                time.sleep(2 * (ranks.rank > 0))
                atexit.register(_abort, ranks)  # after the message
            raise


def _abort(ranks: Ranks) -> None:
    sys.stdout.flush()
    time.sleep(0.2)  # for mpiexec to pass on what was printed
    ranks.comm.Abort(1)


@contextlib.contextmanager
def closing(training: Training) -> Iterator[None]:
    """Close the training after the block. After an error, several ranks do not save: that would need all of them."""
    try:
        yield
    except BaseException:
        if training.trainer.ranks.size > 1:
            training.release()
        raise
    finally:
        training.close()
