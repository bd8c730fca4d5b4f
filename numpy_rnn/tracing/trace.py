"""Itemised backpropagation through time: where each gradient comes from, and when.

Backward gives each parameter one gradient. Here the same gradient is kept in its items, before they are summed. The
equations are those of the layers; E1, R1, ... are their numbers in docs/backprop.md. The loss is a sum over steps,
L = sum_s L_s with L_s = -1/N sum_b log p_s[target_s], so all that is linear in dL is a sum over s as well:

    dL_s/dh_s     = W^T dL_s/dy_s                                    (L2)  where loss s enters
    dL_s/dh_{t-1} = J_t^T dL_s/dh_t                     for t <= s         one step back
    J_t = dh_t/dh_{t-1} = diag(1 - h_t^2) W_hh                       (R4, R3)

Summed over s, these are the dh_t of backward. All of it is computed in float64, whatever the dtype of the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.checks import Array, as_array, as_indices, check_shape
from numpy_rnn.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Trace", "trace"]

MAX_NUMBERS = 2**27  # of float64: 1 GiB


@dataclass(frozen=True, eq=False)
class Trace:
    """One forward and backward pass, every item of it; see `trace`.

    The axes are time T (twice, where a loss and a step have one each), batch B, hidden_size H, embedding_dim E,
    vocab_size V. Step t of an array is step t + 1 of the equations, which count from 1. `h` has one more: step t
    reads `h[t]` and makes `h[t + 1]`.

    Attributes
    ----------
    weights : dict of str to ndarray
        The parameters, in float64.
    tokens, targets : ndarray of int, axes (step, batch)
    x : ndarray, axes (step, batch, embedding)
        What each step reads (E1).
    z : ndarray, axes (step, batch, hidden)
        Pre-activations (R1).
    h : ndarray, axes (step + 1, batch, hidden)
        States (R2); `h[0]` is h_0.
    logits, p, dlogits : ndarray, axes (step, batch, vocabulary)
        (L1), their softmax (C2), and the gradient of the loss with respect to the logits (C4).
    losses : ndarray, axes (step, batch)
        -log p[target], in nats. L_s is the sum of row s over N = T B.
    loss : float
        Their mean, L (C3).
    dh_local, dh_future, dh : ndarray, axes (step, batch, hidden)
        dL/dh_t and its two parts (R3): from this step's loss, and from the steps that follow.
    dz : ndarray, axes (step, batch, hidden)
        dL/dz_t (R4).
    dx : ndarray, axes (step, batch, embedding)
        dL/dx_t (R6).
    dh_0 : ndarray, axes (batch, hidden)
        dL/dh_0 (R6).
    dh_by_loss : ndarray, axes (loss, step, batch, hidden)
        Item [s, t] is dL_s/dh_t, the part of `dh[t]` that comes from the loss at step s; zero for s < t.
    jacobians : ndarray, axes (step, batch, hidden, hidden)
        dh_t/dh_{t-1}.
    singular_values : ndarray, axes (step, batch, hidden)
        Of the Jacobians, falling.
    contributions : dict of str to ndarray, axes (step, *parameter)
        What each step adds to the gradient of each parameter (R5, E2, L3, L4).
    by_distance : dict of str to ndarray, axes (distance, *parameter)
        The same gradient, itemised another way: item d is what the losses contribute from d = s - t steps back.
    truncation_lost : dict of str to ndarray, axes (k - 1,)
        What backpropagation that goes k = 1, ..., T steps back from each loss (the loss's own step included) leaves
        out, |g - g_k| / |g|, where g_k is the sum of the first k items of `by_distance`. 0 where g is zero.
    truncation_angle : dict of str to ndarray, axes (k - 1,)
        Between g_k and g, in degrees; 90 where only g_k is zero, 0 where g is.
    """

    weights: dict[str, Array]
    tokens: Array
    targets: Array
    x: Array
    z: Array
    h: Array
    logits: Array
    p: Array
    losses: Array
    loss: float
    dlogits: Array
    dh_local: Array
    dh_future: Array
    dh: Array
    dz: Array
    dx: Array
    dh_0: Array
    dh_by_loss: Array
    jacobians: Array
    singular_values: Array
    contributions: dict[str, Array]
    by_distance: dict[str, Array]
    truncation_lost: dict[str, Array]
    truncation_angle: dict[str, Array]

    def heatmap(
        self, vocabulary: Vocabulary, after: Trace | None = None, *, sequence: int = 0, width: int = 100
    ) -> str:
        """Return the s x t heatmap as text; with `after`, a trace of the same text, before and after training.

        Parameters
        ----------
        vocabulary : Vocabulary
            The one that the model was trained with.
        after : Trace, optional
        sequence : int, default 0
            Which one of the batch.
        width : int, default 100
            In characters; a longer text is cut off, and that is said.
        """
        from numpy_rnn.tracing.heatmap import text_heatmap

        return text_heatmap(self._titled(after), vocabulary, sequence, width)

    def plot(self, vocabulary: Vocabulary, after: Trace | None = None, *, sequence: int = 0) -> Figure:
        """Return pictures of the trace; with `after`, a trace of the same text, before and after training.

        The s x t heatmap; what is left of a gradient against the distance, with its trend; what each step contributes
        to each parameter; the singular values of each step. `figure.savefig("trace.png")` writes them to a file.

        Parameters
        ----------
        vocabulary : Vocabulary
            The one that the model was trained with.
        after : Trace, optional
        sequence : int, default 0
            Which one of the batch. (Contributions are sums over all of it.)

        Raises
        ------
        ModuleNotFoundError
            matplotlib is not installed: it is the extra `plot`.
        """
        from numpy_rnn.tracing.plot import draw

        figure: Figure = draw(self._titled(after), vocabulary, sequence)
        return figure

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the heatmap, and what a truncation would lose of each gradient."""
        from numpy_rnn.tracing.html import html

        return html(self)

    def _titled(self, after: Trace | None) -> dict[str, Trace]:
        if after is None:
            return {f"loss {self.loss:.4f}": self}
        if not (np.array_equal(self.tokens, after.tokens) and np.array_equal(self.targets, after.targets)):
            raise ValueError("after is a trace of other tokens or targets, expected the same")
        return {f"before training, loss {self.loss:.4f}": self, f"after training, loss {after.loss:.4f}": after}

    @property
    def gradients(self) -> dict[str, Array]:
        """The gradient of every parameter: the sum of the contributions of all steps."""
        return {name: items.sum(axis=0) for name, items in self.contributions.items()}


@np.errstate(all="ignore")  # an overflow shows in the numbers, which are checked
def trace(model: CharRNN, tokens: ArrayLike, targets: ArrayLike, h_0: ArrayLike | None = None) -> Trace:
    """Run a model forward and backward, and return every item of its gradients.

    The items add up to what `model.loss_and_gradients` gives. The model is only read: its gradients and its tapes
    stay as they are.

    Parameters
    ----------
    model : CharRNN
        With one layer, and real.
    tokens, targets : array of int, shape (T, B)
        Each token, and the one that follows it.
    h_0 : array, shape (1, B, H), optional
        The state before the first step. None: zeros.

    Returns
    -------
    Trace
        It holds about T^2 B H + T B H^2 + 2 T P numbers of eight bytes, with P the number of parameters; 4 MB for the
        tutorial's text. Time: T^2 / 2 times a backward step, and T B singular value decompositions of (H, H).

    Raises
    ------
    ValueError
        The model has more than one layer or numbers that are not finite, or that grow beyond what a float can hold;
        or the trace would be larger than 1 GiB.
    """
    if not isinstance(model, CharRNN):
        raise TypeError(f"model must be a CharRNN, got {type(model).__name__}")
    if model.rnn.num_layers > 1:
        raise ValueError(f"model has num_layers={model.rnn.num_layers}, expected 1: the trace follows a single layer")
    tokens = as_indices("tokens", tokens, model.vocab_size)
    check_shape(
        "tokens", tokens, (None, None), "(T, B)", "tokens.reshape(-1, 1) is a batch of one" * (tokens.ndim == 1)
    )
    targets = as_indices("targets", targets, model.vocab_size)
    check_shape("targets", targets, tokens.shape, "the shape of tokens")
    (T, B), H, V = tokens.shape, model.hidden_size, model.vocab_size
    if T == 0:
        raise ValueError(f"tokens has shape {tokens.shape}: a sequence needs at least one time step")
    _check_size(T, B, H, model.parameters().data.size)
    weights = {name: as_array(name, p.data, np.dtype(np.float64)).copy() for name, p in model.parameters().items()}
    C, W_ih, W_hh, b_ih, b_hh, W, b = weights.values()
    h = np.empty((T + 1, B, H))
    h[0] = 0 if h_0 is None else _check_h_0(h_0, B, H)
    for name, array in (weights | {"h_0": h[0]}).items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} has numbers that are not finite: there are no gradients to trace")

    # Forward.
    x = C[tokens]  # (T, B, E) (E1)
    z = np.empty((T, B, H))
    for t in range(T):
        z[t] = x[t] @ W_ih.T + b_ih + h[t] @ W_hh.T + b_hh  # (R1)
        h[t + 1] = np.tanh(z[t])  # (R2)
    logits = h[1:] @ W.T + b  # (T, B, V) (L1)
    e = np.exp(logits - logits.max(axis=2, keepdims=True))  # (C1)
    p = e / e.sum(axis=2, keepdims=True)  # (C2)
    onehot = np.eye(V)[targets]  # (T, B, V)
    shifted = (onehot * logits).sum(axis=2) - logits.max(axis=2)  # (T, B)
    losses = np.log(e.sum(axis=2)) - shifted  # -log p[target], also where p is too small to be told from 0
    loss = float(losses.sum() / (T * B)) if B else float("nan")  # (C3)

    # Backward.
    dlogits = (p - onehot) / (T * B) if B else p  # (C4)
    slope = 1 - h[1:] ** 2  # (T, B, H), tanh'
    dh_local = dlogits @ W  # (T, B, H) (L2)
    dh_future, dh, dz = (np.empty((T, B, H)) for _ in range(3))
    back = np.zeros((B, H))  # W_hh^T dz_{t+1}
    for t in reversed(range(T)):
        dh_future[t] = back
        dh[t] = dh_local[t] + dh_future[t]  # (R3)
        dz[t] = dh[t] * slope[t]  # (R4)
        back = dz[t] @ W_hh
    dx = dz @ W_ih  # (T, B, E) (R6)

    # The same, for the loss of each step by itself.
    dh_by_loss = np.zeros((T, T, B, H))
    for t in reversed(range(T)):
        dh_by_loss[t, t] = dh_local[t]
        if t + 1 < T:
            dh_by_loss[t + 1 :, t] = (dh_by_loss[t + 1 :, t + 1] * slope[t + 1]) @ W_hh
    jacobians = slope[:, :, :, None] * W_hh  # (T, B, H, H)
    if not all(np.isfinite(array).all() for array in (z, logits, losses, dh_by_loss, jacobians)):
        raise ValueError("the numbers of the model grow beyond the largest float: there are no gradients to trace")

    def per_step(dz: Array, dlogits: Array) -> dict[str, Array]:
        """What each of the first len(dz) steps adds to the gradient of each parameter, given its dz and dlogits."""
        T = len(dz)
        dC = np.zeros((T, *C.shape))
        np.add.at(dC, (np.arange(T)[:, None], tokens[:T]), dz @ W_ih)  # (E2)
        dW_ih = np.einsum("tbi,tbj->tij", dz, x[:T])  # dz_t x_t^T (R5)
        dW_hh = np.einsum("tbi,tbj->tij", dz, h[:T])  # dz_t h_{t-1}^T (R5)
        db_ih = db_hh = dz.sum(axis=1)  # (R5)
        dW = np.einsum("tbi,tbj->tij", dlogits, h[1 : T + 1])  # (L3)
        db = dlogits.sum(axis=1)  # (L4)
        return dict(zip(weights, (dC, dW_ih, dW_hh, db_ih, db_hh, dW, db), strict=True))

    by_distance = {name: np.zeros((T, *array.shape)) for name, array in weights.items()}
    for d in range(T):
        steps = np.arange(T - d)
        from_loss = dlogits if d == 0 else np.zeros_like(dlogits[steps])  # logits have no way to a later loss
        for name, array in per_step(dh_by_loss[steps + d, steps] * slope[steps], from_loss).items():
            by_distance[name][d] = array.sum(axis=0)
    truncations = {name: _truncation(array) for name, array in by_distance.items()}

    return Trace(
        weights=weights,
        tokens=tokens.copy(),
        targets=targets.copy(),
        x=x,
        z=z,
        h=h,
        logits=logits,
        p=p,
        losses=losses,
        loss=loss,
        dlogits=dlogits,
        dh_local=dh_local,
        dh_future=dh_future,
        dh=dh,
        dz=dz,
        dx=dx,
        dh_0=back,
        dh_by_loss=dh_by_loss,
        jacobians=jacobians,
        singular_values=np.linalg.svd(jacobians, compute_uv=False),
        contributions=per_step(dz, dlogits),
        by_distance=by_distance,
        truncation_lost={name: lost for name, (lost, _) in truncations.items()},
        truncation_angle={name: angle for name, (_, angle) in truncations.items()},
    )


def _check_h_0(h_0: ArrayLike, B: int, H: int) -> Array:
    h_0 = as_array("h_0", h_0, np.dtype(np.float64))
    check_shape("h_0", h_0, (1, B, H), "(1, B, hidden_size)")
    first: Array = h_0[0]
    return first


def _check_size(T: int, B: int, H: int, P: int) -> None:
    sizes = {
        "one vector for each loss and step, T*T*B*H": T * T * B * H,
        "the Jacobians, T*B*H*H": T * B * H * H,
        f"the items of each of {P} parameters, 2*T*{P}": 2 * T * P,
    }
    total, largest = sum(sizes.values()), max(sizes, key=lambda name: sizes[name])
    if total > MAX_NUMBERS:
        raise ValueError(
            f"a trace with T={T}, B={B}, H={H} would take {total * 8 / 2**30:.1f} GiB, expected at most "
            f"{MAX_NUMBERS * 8 / 2**30:g}: reduce T (a shorter text), B or hidden_size; most of it is {largest}"
        )


def _truncation(by_distance: Array) -> tuple[Array, Array]:
    """Return what is lost, in norm and in angle, if only the first 1, 2, ... distances are summed."""
    partial = by_distance.reshape(len(by_distance), -1).cumsum(axis=0)  # (T, size), g_k
    full = partial[-1]  # g
    norm, norms = np.linalg.norm(full), np.linalg.norm(partial, axis=1)
    if norm == 0:
        return np.zeros(len(partial)), np.zeros(len(partial))
    lost = np.linalg.norm(full - partial, axis=1) / norm
    # The arccosine of an inner product is blind near 0. This, Kahan's, is exact at every angle.
    u, v = full / norm, partial / np.where(norms > 0, norms, 1)[:, None]
    angle = 2 * np.arctan2(np.linalg.norm(u - v, axis=1), np.linalg.norm(u + v, axis=1))
    return lost, np.where(norms > 0, np.degrees(angle), 90.0)
