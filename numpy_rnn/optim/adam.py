"""Adam, with AMSGrad and AdamW as options.

With g the gradient at step k = 1, 2, ...:

    exp_avg    <- beta1 exp_avg    + (1 - beta1) g                                   (A1)
    exp_avg_sq <- beta2 exp_avg_sq + (1 - beta2) g^2                                 (A2)
    p          <- p - lr/(1 - beta1^k) * exp_avg / (sqrt(exp_avg_sq / (1 - beta2^k)) + eps)     (A3)

Both averages start at zero, so at first they are too small by the factor 1 - beta^k, by which (A3) divides. The code
multiplies the numerator and denominator of (A3) by r = sqrt(1 - beta2^k), which saves one pass over the vector.

The options change the inputs of these equations:

    maximize                  g <- -g, before everything else                        (4)
    decoupled_weight_decay    p <- p - lr weight_decay p, as in AdamW                (5)
    weight_decay otherwise    g <- g + weight_decay p, an L2 penalty                 (6)
    amsgrad                   max_exp_avg_sq <- max(max_exp_avg_sq, exp_avg_sq), instead of exp_avg_sq in (A3)    (7)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from numpy_rnn.checks import Array, as_array, as_flag, as_number, check_keys, check_shape
from numpy_rnn.display.instead import Explained
from numpy_rnn.parameters import Parameters, as_real_parameters

__all__ = ["Adam"]

_OPTIONS = ("lr", "betas", "eps", "weight_decay", "amsgrad", "maximize", "decoupled_weight_decay")
_BLOCK = 32768  # elements, so that five blocks stay in the L2 cache between operations


class Adam(Explained):
    """Adam over one flat vector of parameters; AdamW is `Adam(..., weight_decay=0.01, decoupled_weight_decay=True)`.

    Parameters
    ----------
    parameters : Parameters
        The value of `layer.parameters()`. All share one set of options (there are no parameter groups).
    lr : float, default 1e-3
        Learning rate; it may be changed between steps, for example by `numpy_rnn.schedules`.
    betas : tuple of two floats, default (0.9, 0.999)
        Decay rates of the two averages, in [0, 1).
    eps : float, default 1e-8
        Added to the square root.
    weight_decay : float, default 0.0
        Pulls the parameters towards zero, through the gradient (an L2 penalty) or, if decoupled, directly. (The
        default of torch's AdamW is 0.01.)
    amsgrad : bool, default False
        Divide by the square root of the largest `exp_avg_sq` so far, so that steps cannot grow when it shrinks. As in
        torch, the maximum is taken before bias correction.
    maximize : bool, default False
        Maximize the loss instead of minimizing it.
    decoupled_weight_decay : bool, default False
        Apply weight decay as in AdamW, so that it does not enter the averages.

    Attributes
    ----------
    exp_avg, exp_avg_sq : ndarray, shape (number of values,)
        The averages of the gradient and of its square; `parameters.views(optimizer.exp_avg)` gives them by name.
    max_exp_avg_sq : ndarray, shape (number of values,), or None
        The largest `exp_avg_sq` so far; None without amsgrad.
    step_count : int
        Steps taken.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.
    S. J. Reddi, S. Kale and S. Kumar, "On the convergence of Adam and beyond", ICLR 2018 (amsgrad).
    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019 (AdamW).
    https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html
    https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html
    """

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        self.parameters = as_real_parameters(parameters)
        self.lr, self.eps = lr, as_number("eps", eps)
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise TypeError(f"betas must be two numbers, got {betas!r}")
        self.betas = as_number("betas[0]", betas[0], high=1), as_number("betas[1]", betas[1], high=1)
        self.weight_decay = as_number("weight_decay", weight_decay)
        self.maximize = as_flag("maximize", maximize)
        self.decoupled_weight_decay = as_flag("decoupled_weight_decay", decoupled_weight_decay)
        self.exp_avg = np.zeros_like(parameters.data)
        self.exp_avg_sq = np.zeros_like(parameters.data)
        self.max_exp_avg_sq = np.zeros_like(parameters.data) if as_flag("amsgrad", amsgrad) else None
        self.step_count = 0
        self._scratch = np.empty_like(parameters.data[:_BLOCK])
        self._g = np.empty_like(parameters.data[:_BLOCK])  # the gradient, if an option changes it

    def __repr__(self) -> str:
        options = ", ".join(f"{option}={getattr(self, option)!r}" for option in _OPTIONS)
        return f"Adam({options}; {self.parameters.data.size} values, {self.step_count} steps)"

    @property
    def lr(self) -> float:
        return self._lr

    @lr.setter
    def lr(self, value: float) -> None:
        self._lr = as_number("lr", value)  # torch accepts nan here, and then the parameters become nan

    @property
    def amsgrad(self) -> bool:
        return self.max_exp_avg_sq is not None

    @np.errstate(all="ignore")  # as in torch; an error would leave half of the parameters updated
    def step(self) -> None:
        """Update the parameters from their gradients, equations (A1) to (A3) and (4) to (7)."""
        self.step_count += 1
        beta1, beta2 = self.betas
        r = math.sqrt(1 - beta2**self.step_count)
        step_size, eps = self.lr * r / (1 - beta1**self.step_count), self.eps * r
        data, grad = self.parameters.data, self.parameters.grad
        for start in range(0, data.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            p, g, m, v = data[block], grad[block], self.exp_avg[block], self.exp_avg_sq[block]
            s = self._scratch[: p.size]
            if self.maximize:
                g = np.negative(g, self._g[: p.size])  # (4)
            if self.decoupled_weight_decay:
                p *= 1 - self.lr * self.weight_decay  # (5)
            elif self.weight_decay:
                g = np.add(g, np.multiply(p, self.weight_decay, s), self._g[: p.size])  # (6)
            m *= beta1
            m += np.multiply(g, 1 - beta1, s)  # (A1)
            v *= beta2
            np.multiply(g, g, s)
            v += np.multiply(s, 1 - beta2, s)  # (A2)
            if self.max_exp_avg_sq is not None:
                v = np.maximum(v, self.max_exp_avg_sq[block], out=self.max_exp_avg_sq[block])  # (7)
            np.sqrt(v, s)
            s += eps
            np.divide(m, s, s)
            p -= np.multiply(s, step_size, s)  # (A3)

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of the averages and the options, in the layout of torch's `Adam.state_dict()`.

        Returns
        -------
        dict
            `state` maps the index of each parameter to a dictionary of `step`, `exp_avg`, `exp_avg_sq` and, with
            amsgrad, `max_exp_avg_sq`; it is empty before the first step. `param_groups` is a list of one dictionary:
            the options, and the indices as `params`.
        """
        averages = self._averages()
        state = {
            i: {"step": np.array(float(self.step_count))}
            | {average: views[name].copy() for average, views in averages.items()}
            for i, name in enumerate(self.parameters)
        }
        group = {option: getattr(self, option) for option in _OPTIONS} | {"params": list(state)}
        return {"state": state if self.step_count else {}, "param_groups": [group]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a `state_dict()` of this class or of torch's Adam or AdamW: all of it, or nothing on an error.

        Options that only select torch's implementation (foreach, fused, capturable, differentiable) and other extra
        entries are ignored. States of older torch versions lack `maximize` and `decoupled_weight_decay`, which then
        keep their values. The averages become new arrays.

        Raises
        ------
        KeyError
            An option, a parameter or an average is missing or unknown.
        ValueError
            An option is out of range, a shape differs, there are several parameter groups, or the parameters have
            taken different numbers of steps.
        TypeError
            A value is not a number, or not an array of real numbers.
        """
        if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= state_dict.keys():
            raise TypeError("state_dict must have 'state' and 'param_groups', as Adam.state_dict() returns them")
        state, groups = state_dict["state"], state_dict["param_groups"]
        if not isinstance(state, Mapping) or not isinstance(groups, list | tuple):
            raise TypeError("state_dict must have a mapping 'state' and a list 'param_groups'")
        if len(groups) != 1:
            raise ValueError(f"state_dict has {len(groups)} parameter groups, expected one: all share their options")
        group = {"maximize": self.maximize, "decoupled_weight_decay": self.decoupled_weight_decay, **groups[0]}
        expected = [*_OPTIONS, "params"]
        check_keys("param_groups[0]", group.keys() & set(expected), expected)
        if len(group["params"]) != len(self.parameters):
            raise ValueError(f"state_dict has {len(group['params'])} parameters, expected {len(self.parameters)}")
        loaded = Adam(self.parameters, **{option: group[option] for option in _OPTIONS})
        if state:
            check_keys("state", state, group["params"])
            loaded._load_state([state[i] for i in group["params"]])
        vars(self).update(vars(loaded))

    def _load_state(self, entries: list[Mapping[str, Any]]) -> None:
        steps, averages = set(), self._averages()
        for entry, (name, p) in zip(entries, self.parameters.items(), strict=True):
            check_keys(f"state of {name}", entry, ["step", *averages])
            steps.add(as_number(f"step of {name}", entry["step"]))
            for average, views in averages.items():
                array = as_array(f"{average} of {name}", entry[average], p.data.dtype)
                check_shape(f"{average} of {name}", array, p.data.shape, "the parameter's shape")
                views[name][...] = array
        if len(steps) > 1 or not min(steps).is_integer():
            raise ValueError(f"step must be one whole number for all parameters, got {sorted(steps)}")
        self.step_count = int(min(steps))

    def _averages(self) -> dict[str, dict[str, Array]]:
        """Return views of the averages, by torch's name of the average and the name of the parameter."""
        names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")[: 3 if self.amsgrad else 2]
        return {name: self.parameters.views(getattr(self, name)) for name in names}
