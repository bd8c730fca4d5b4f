"""Random numbers in forward: every generator is set back before each call, and the user's own stay as they were."""

import os
import random

import numpy as np
import pytest

import numpy_rnn as nr
from tests.gradient_checking.samples import assert_right, x_54

generator, old_generator = np.random.default_rng(5), np.random.RandomState(5)
generators = {"dropout": [np.random.default_rng(6)]}


class Holder:
    rng = np.random.default_rng(7)


def from_python(draw):
    return lambda shape: np.array([draw() for _ in range(int(np.prod(shape)))]).reshape(shape)


DRAWS = {
    "np.random": lambda shape: np.random.rand(*shape),  # noqa: NPY002
    "np.random.choice": lambda shape: np.random.choice([0.2, 0.7], shape),  # noqa: NPY002
    "random": from_python(random.random),
    "random.sample": lambda shape: np.array(random.sample(range(100), int(np.prod(shape)))).reshape(shape) / 100,
    "Generator of the module": lambda shape: generator.random(shape),
    "RandomState of the module": lambda shape: old_generator.random_sample(shape),
    "Generator in a dictionary": lambda shape: generators["dropout"][0].random(shape),
    "Generator of a class": lambda shape: Holder.rng.random(shape),
}


def states():
    """Return the states of all generators above, with the next numbers of each."""
    kept = [random.getstate()]
    for state in (np.random.get_state(), old_generator.get_state()):  # noqa: NPY002
        kept += [state[1].tobytes(), state[2:]]
    return kept + [repr(g.bit_generator.state) for g in (generator, generators["dropout"][0], Holder.rng)]


@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize("in_backward", [False, True])
def test_every_call_draws_the_same_mask_and_the_users_generator_stays_where_it_was(kind, in_backward):
    def forward(x):
        mask = DRAWS[kind](x.shape) < 0.5
        return x * mask, mask

    def backward(d, mask):
        return d * (DRAWS[kind](d.shape) < 0.5 if in_backward else mask)

    before = states()
    report = nr.gradcheck((forward, backward), x_54)
    assert states() == before
    assert report.ok == (not in_backward), str(report)
    if not in_backward:  # as it would seem if every call had another mask
        assert "not differentiable" not in str(report)


def test_a_generator_among_the_arguments_stays_where_it_was():
    for rng in (np.random.default_rng(3), np.random.RandomState(3)):
        before = repr(rng.__getstate__())

        def forward(x, options, rng=rng):
            mask = options["rng"].standard_normal(x.shape) < 0.5
            return x * mask, mask

        assert_right((forward, lambda d, mask: d * mask), (x_54, {"rng": rng}))
        assert repr(rng.__getstate__()) == before


def test_a_generator_is_put_back_when_forward_raises():
    def forward(x):
        np.random.rand(3), random.random(), generator.random(3)  # noqa: NPY002
        raise OverflowError("enough")

    before = states()
    with pytest.raises(OverflowError, match="enough"):
        nr.gradcheck((forward, lambda d, cache: d), x_54)
    assert states() == before


def unseeded(x):
    return x * np.random.default_rng().random(x.shape), x


def from_the_system(x):
    return x + np.frombuffer(os.urandom(x.size), np.uint8).reshape(x.shape), x


@pytest.mark.parametrize("forward", [unseeded, from_the_system])
@pytest.mark.parametrize("factor", [1, 7])
def test_randomness_beyond_control_is_said_and_nothing_is_judged(forward, factor):
    report = nr.gradcheck((forward, lambda d, x: factor * d), x_54)
    assert not report.ok
    assert report.tensors == {}
    headline, *sentences = str(report).split("\n\n")
    assert headline == f"gradcheck of {forward.__name__}: it cannot be judged"
    assert len(sentences) == 1
    assert sentences[0].startswith("fault: forward returns different results for the same inputs")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_forward_that_is_not_finite_is_not_judged(value):
    def forward(x):
        y = 2 * x
        y[2, 1] = value
        return y, x

    report = nr.gradcheck((forward, lambda d, x: 7 * d), x_54)
    assert not report.ok
    assert report.tensors == {}
    assert f"forward is not finite at this point (output is {value} at [2, 1])" in str(report)
    assert "WRONG" not in str(report)
    with pytest.raises(AssertionError, match="cannot be judged"):
        nr.assert_gradients((forward, lambda d, x: 2 * d), x_54)
    assert "cannot be judged" in report._repr_html_()
