"""A model of the time of one step of R ranks, to tell where more of them stop paying.

    step(R, b) = c_0 + c_1 b + allreduce(R)                          b streams for each rank           (1)
    allreduce(R) = 2 ceil(log2 R) latency + 2 (R - 1) / R bytes / bandwidth                            (2)

c_0 and c_1 are fitted to times of one rank with one thread. (2) is Rabenseifner's algorithm: a reduce-scatter
and an allgather. Assumed: all ranks are as fast as the measured one and do not share memory channels, no message is
sent while a rank computes, and nobody waits for stragglers.

References
----------
R. Thakur, R. Rabenseifner and W. Gropp, "Optimization of collective communication operations in MPICH", Int. J. of
High Performance Computing Applications 19 (2005).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.show.plot import new_figure
from numpy_rnn.display.pictures import BLUE, GREEN, RED

__all__ = ["NETWORKS", "Model", "Network", "draw", "fit_network", "fit_step"]

RANKS = [2**k for k in range(11)]


@dataclass(frozen=True)
class Network:
    latency: float  # seconds
    bandwidth: float  # bytes per second

    def allreduce(self, ranks: int, size: float) -> float:
        """Return equation (2) for `size` bytes."""
        return 2 * math.ceil(math.log2(ranks)) * self.latency + 2 * (ranks - 1) / ranks * size / self.bandwidth


# Round figures for what a small cluster and a large one have; not measured here.
NETWORKS = {"10 Gb/s Ethernet": Network(30e-6, 1.1e9), "100 Gb/s InfiniBand": Network(2e-6, 11e9)}


@dataclass(frozen=True)
class Model:
    c_0: float
    c_1: float
    size: int  # bytes of the gradient

    def step(self, network: Network, ranks: int, streams: float) -> float:
        """Return equation (1)."""
        return self.c_0 + self.c_1 * streams + (network.allreduce(ranks, self.size) if ranks > 1 else 0.0)


def fit_step(seconds: Mapping[int, float], size: int) -> Model:
    """Return the model for measured seconds by number of streams; relative errors count."""
    streams, times = np.array([*seconds]), np.array([*seconds.values()])
    rows = np.stack([np.ones(len(streams)), streams], 1) / times[:, None]
    c_0, c_1 = np.linalg.lstsq(rows, np.ones(len(streams)), rcond=None)[0]
    return Model(float(c_0), float(c_1), size)


def fit_network(small: float, large: float, size: int) -> Network:
    """Return the network of two ranks that takes `small` seconds for one number and `large` for `size` bytes."""
    return Network(small / 2, size / max(large - small, 1e-12))


def draw(model: Model, networks: Mapping[str, Network], B: int, measured: float, path: Path) -> None:
    """Draw the efficiency, speed-up / ranks, for a fixed batch in all and for a batch of B for each rank.

    measured : that of two ranks with B streams each.
    """
    with new_figure() as figure:
        figure.set_size_inches(12, 4.8)
        panels: Any = figure.subplots(1, 2, sharey=True)
        most = RANKS[-1]
        for axes, title, streams in (
            (panels[0], f"{most:,} streams in all", lambda r: most / r),
            (panels[1], f"{B} streams for each rank", lambda r: B),
        ):
            for (name, network), colour in zip(networks.items(), (GREEN, BLUE, RED), strict=True):
                work = [streams(r) * r / streams(1) for r in RANKS]  # in steps of one rank
                alone = model.step(network, 1, streams(1))
                steps = [model.step(network, r, streams(r)) for r in RANKS]
                efficiency = [w * alone / (r * step) for r, w, step in zip(RANKS, work, steps, strict=True)]
                axes.plot(RANKS, efficiency, "o-", markersize=4, color=colour, label=name)
            axes.set(xscale="log", xlabel="ranks", title=title, ylim=(0, 1.05))
            axes.set_xticks(RANKS[::2], [f"{r:,}" for r in RANKS[::2]])
            axes.minorticks_off()
        panels[1].plot(2, measured, "kx", markersize=10, label="measured")
        panels[0].set_ylabel("speed of R ranks / (R times that of one)")
        panels[1].legend(frameon=False, loc="lower left")
        figure.savefig(path)
