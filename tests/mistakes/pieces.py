"""What a slip is tried on: the tests of a piece of the package, and a layer with inputs for gradcheck."""

from __future__ import annotations

import contextlib
import functools
import io

import hypothesis
import numpy as np

import numpy_rnn as nr
from tests import test_char_rnn
from tests.layers import test_cross_entropy, test_embedding, test_gated_options, test_linear, test_rnn, test_tapes
from tests.optim import test_adam, test_clipping

__all__ = ["TESTS", "red_test", "subject"]

# T, B, E, H, V all differ, so that a factor or an axis can be identified by its length.
T, B, E, H, V = 5, 2, 3, 4, 7


def _on_tapes(piece):
    """Return the tests of the ownership of arrays, for one layer."""
    rng = np.random.default_rng(0)

    def normal(*shape):
        return [rng.standard_normal(shape) for _ in range(2)]

    def states():
        return list(zip(normal(1, B, H), normal(1, B, H), strict=True)) if piece == "LSTM" else normal(1, B, H)

    def case():
        if piece == "Embedding":
            layer, tokens = nr.Embedding(V, E, dtype=np.float64, rng=rng), [rng.integers(0, V, (T, B)) for _ in "ab"]
            return test_tapes.Case(layer, [tokens], [normal(T, B, E)], (T, B))
        layer = getattr(nr, piece)(E, H, dtype=np.float64, rng=rng)
        return test_tapes.Case(layer, [normal(T, B, E), states()], [normal(T, B, H), states()], (T, B))

    def on(test):
        return functools.wraps(test)(lambda: test(case()))

    return [
        on(test_tapes.test_returned_arrays_are_never_changed_by_a_later_call),
        on(test_tapes.test_inputs_and_upstream_gradients_are_left_alone),
        on(test_tapes.test_backward_assigns_gradients),
    ]


def _without_options(test, piece, **options):
    """Return a test of the options of LSTM and GRU, for one of them without options, at a few sizes."""

    @functools.wraps(test)
    def run():
        plain = {"num_layers": 1, "bias": True, "batch_first": False, "bidirectional": False}
        for seed in range(3):
            rng = np.random.default_rng(seed)
            sizes = dict(zip("TBIH", rng.integers(2, 6, 4).tolist(), strict=True))
            arguments = {"cell": getattr(nr, piece), "rng": rng, "options": plain, "kind": "batch", "block": 40}
            test.hypothesis.inner_test(**arguments, **sizes, **options)

    del run.__wrapped__
    return run


def _gated(piece):
    torch, complex_step = (
        test_gated_options.test_forward_gradients_and_state_dict_equal_torch,
        test_gated_options.test_gradients_equal_the_complex_step,
    )
    return [
        _without_options(torch, piece, dtype=np.float64, with_state=True),
        _without_options(complex_step, piece, p=0.0),
        *_on_tapes(piece),
    ]


TESTS = {
    "Linear": [test_linear.test_forward_and_gradients_equal_torch, test_linear.test_gradients_equal_the_complex_step],
    "Embedding": [
        test_embedding.test_forward_and_gradient_equal_torch,
        test_embedding.test_gradient_equals_the_complex_step,
        *_on_tapes("Embedding"),
    ],
    "CrossEntropyLoss": [test_cross_entropy.test_loss_and_gradient_equal_torch_without_options],
    "RNN": [
        test_rnn.test_forward_and_gradients_equal_torch,
        test_rnn.test_gradients_equal_the_complex_step,
        *_on_tapes("RNN"),
    ],
    "LSTM": _gated("LSTM"),
    "GRU": _gated("GRU"),
    "CharRNN": [
        test_char_rnn.test_forward_and_gradients_equal_torch,
        test_char_rnn.test_gradients_equal_the_complex_step,
    ],
    "Adam": [test_adam.test_adam_equals_torch_with_every_option, test_adam.test_the_textbooks_adam_says_the_same],
    "clipping": [
        test_clipping.test_clipping_by_the_norm_equals_torch,
        test_clipping.test_clipping_is_by_the_euclidean_norm_by_default,
    ],
}
for variant in ("Linear, square", "Embedding, a line", "CrossEntropyLoss, weighted", "RNN, square"):
    TESTS[variant] = TESTS[variant.partition(",")[0]]


class Weighted:
    """A loss that is multiplied by a number, so that its upstream gradient is not 1."""

    def __init__(self):
        self.loss = nr.CrossEntropyLoss()

    def forward(self, logits, targets):
        return 0.7 * self.loss.forward(logits, targets)

    def backward(self, dloss):
        return self.loss.backward(0.7 * dloss)


def subject(piece):
    """Return the arguments for gradcheck; None if there is no backward pass."""
    rng = np.random.default_rng(5)
    tokens = rng.integers(0, V, (T, B))
    match piece:
        case "Linear":
            return nr.Linear(E, H, rng=rng), 1.5 * rng.standard_normal((T, E))
        case "Linear, square":
            return nr.Linear(E, E, rng=rng), rng.standard_normal((T, E))
        case "Embedding":
            return nr.Embedding(V, E, rng=rng), tokens
        case "Embedding, a line":
            return nr.Embedding(V, E, rng=rng), tokens.ravel()[:9]
        case "CrossEntropyLoss":
            return nr.CrossEntropyLoss(), rng.standard_normal((T, V)), tokens[:, 0]
        case "CrossEntropyLoss, weighted":
            return Weighted(), rng.standard_normal((T, V)), tokens[:, 0]
        case "RNN":
            return nr.RNN(E, H, rng=rng), rng.standard_normal((T, B, E)), rng.standard_normal((1, B, H))
        case "RNN, square":
            return nr.RNN(H, H, rng=rng), rng.standard_normal((T, B, H)), rng.standard_normal((1, B, H))
        case "LSTM":
            states = rng.standard_normal((1, B, H)), rng.standard_normal((1, B, H))
            return nr.LSTM(E, H, rng=rng), rng.standard_normal((T, B, E)), states
        case "GRU":
            return nr.GRU(E, H, rng=rng), rng.standard_normal((T, B, E)), rng.standard_normal((1, B, H))
        case "CharRNN":
            return nr.CharRNN(V, E, H, rng=rng), tokens, rng.standard_normal((1, B, H))
    return None


def red_test(piece):
    """Run the tests of a piece with few examples until one fails; return its name, or None if all pass."""
    few = hypothesis.settings(
        max_examples=50,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    for test in TESTS[piece]:
        usual = getattr(test, "_hypothesis_internal_use_settings", None)
        if usual is not None:
            test._hypothesis_internal_use_settings = few
        try:
            with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
                test()
        except Exception:
            return test.__name__
        finally:
            if usual is not None:
                test._hypothesis_internal_use_settings = usual
    return None
