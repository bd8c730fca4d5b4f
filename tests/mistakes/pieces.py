"""What a slip is tried on: the tests of that piece of the package, and a layer with inputs for gradcheck."""

from __future__ import annotations

import contextlib
import io

import hypothesis
import numpy as np

import numpy_rnn as nr
from tests import test_char_rnn, test_cross_entropy, test_embedding, test_linear, test_optim, test_rnn, test_tapes

__all__ = ["TESTS", "subject", "tests_go_red"]

# T, B, E, H, V all differ: a factor or an axis then has one name.
T, B, E, H, V = 6, 2, 4, 5, 7


def _rnn_on_tapes():
    rng = np.random.default_rng(0)
    x, h_0, doutput, dh_n = (
        [rng.standard_normal(shape) for _ in range(2)] for shape in [(T, B, E), (1, B, H), (T, B, H), (1, B, H)]
    )
    layer = nr.RNN(E, H, dtype=np.float64, rng=rng)
    return test_tapes.Case(layer, [x, h_0], [doutput, dh_n], (T, B))


TESTS = {
    "Linear": [test_linear.test_forward_and_gradients_equal_torch, test_linear.test_gradients_equal_the_complex_step],
    "Embedding": [
        test_embedding.test_forward_and_gradient_equal_torch,
        test_embedding.test_gradient_equals_the_complex_step,
    ],
    "CrossEntropyLoss": [
        test_cross_entropy.test_loss_and_gradient_equal_torch,
        test_cross_entropy.test_gradient_equals_the_complex_step,
    ],
    "RNN": [
        test_rnn.test_forward_and_gradients_equal_torch,
        test_rnn.test_gradients_equal_the_complex_step,
        lambda: test_tapes.test_returned_arrays_are_never_changed_by_a_later_call(_rnn_on_tapes()),
        lambda: test_tapes.test_inputs_and_upstream_gradients_are_left_alone(_rnn_on_tapes()),
        lambda: test_tapes.test_backward_assigns_gradients(_rnn_on_tapes()),
    ],
    "CharRNN": [
        test_char_rnn.test_forward_and_gradients_equal_torch,
        test_char_rnn.test_gradients_equal_the_complex_step,
    ],
    "Adam": [test_optim.test_adam_equals_torch_over_fifty_steps, test_optim.test_the_textbooks_adam_says_the_same],
    "clipping": [test_optim.test_clipping_equals_torch],
}
for name, like in {"Linear, square": "Linear", "Embedding, a line": "Embedding", "RNN, square": "RNN"}.items():
    TESTS[name] = TESTS[like]


def subject(piece):
    """Return what gradcheck is given; None for what has no backward pass."""
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
        case "RNN":
            return nr.RNN(E, H, rng=rng), rng.standard_normal((T, B, E)), rng.standard_normal((1, B, H))
        case "RNN, square":
            return nr.RNN(H, H, rng=rng), rng.standard_normal((T, B, H)), rng.standard_normal((1, B, H))
        case "CharRNN":
            return nr.CharRNN(V, E, H, rng=rng), tokens, rng.standard_normal((1, B, H))
    return None


def tests_go_red(piece):
    """Run the tests of a piece, few examples of each, until one fails; return its name, or None if all are green."""
    few = hypothesis.settings(
        max_examples=25,
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
