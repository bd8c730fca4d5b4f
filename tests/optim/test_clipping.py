"""clip_grad_norm_ and clip_grad_value_ against torch's."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numpy_rnn as nr
from tests import strategies as some
from tests.optional import torch
from tests.references import assert_equals_torch, tensor

NORM_TYPES = [0.5, 1, 1.5, 2, 2.0, 3, 7.5, math.inf, "inf"]


def make_parameters(grad, dtype):
    """Return parameters in two tensors, since torch takes the norm of the tensors' norms."""
    parameters = nr.Parameters({"a": (2, 2), "b": (len(grad) - 4,)}, dtype)
    parameters.grad = grad
    return parameters


def make_mirrors(parameters):
    mirrors = [torch.nn.Parameter(tensor(p.data)) for p in parameters.values()]
    for mirror, p in zip(mirrors, parameters.values(), strict=True):
        mirror.grad = tensor(p.grad)
    return mirrors


def torch_grad(mirrors):
    return torch.cat([mirror.grad.flatten() for mirror in mirrors])


@settings(max_examples=100)
@given(
    rng=some.rngs,
    # 40000 in float64 only: torch adds up one after the other, and in float32 its norm is off by 1e-6 and more.
    size_and_dtype=st.one_of(
        st.tuples(st.sampled_from([5, 6, 9]), some.dtypes), st.tuples(st.just(40000), st.just(np.float64))
    ),
    scale=st.integers(-9, 3),
    max_norm=st.sampled_from([0, 0.1, 1.0, 5.0, 1e3, math.inf]),
    norm_type=st.sampled_from(NORM_TYPES),
    foreach=st.booleans(),
)
def test_clipping_by_the_norm_equals_torch(rng, size_and_dtype, scale, max_norm, norm_type, foreach):
    size, dtype = size_and_dtype
    parameters = make_parameters(10.0**scale * rng.standard_normal(size), dtype)
    mirrors = make_mirrors(parameters)
    norm = nr.clip_grad_norm_(parameters, max_norm, norm_type)
    torch_norm = torch.nn.utils.clip_grad_norm_(mirrors, max_norm, norm_type, foreach=foreach)
    assert type(norm) is float
    assert_equals_torch(np.array(norm, dtype), torch_norm, "norm")
    assert_equals_torch(parameters.grad, torch_grad(mirrors), "grad")


@pytest.mark.parametrize("norm_type", NORM_TYPES)
def test_the_norm_of_many_gradients_in_float32_is_torchs_in_float64(norm_type):
    grad = np.random.default_rng(0).standard_normal(40000).astype(np.float32)
    parameters, mirrors = make_parameters(grad, np.float32), make_mirrors(make_parameters(grad, np.float64))
    norm = nr.clip_grad_norm_(parameters, math.inf, norm_type)
    torch_norm = torch.nn.utils.clip_grad_norm_(mirrors, math.inf, norm_type).item()
    assert abs(norm - torch_norm) <= 1.3e-6 * torch_norm  # torch.testing's tolerance for float32


def test_clipping_is_by_the_euclidean_norm_by_default():
    parameters = make_parameters([3, 0, 0, 0, 4], np.float64)
    assert nr.clip_grad_norm_(parameters, 2.5) == 5
    np.testing.assert_allclose(parameters.grad, [1.5, 0, 0, 0, 2], rtol=1e-6)


@pytest.mark.parametrize("norm_type", [2, 1, 3, math.inf])
@pytest.mark.parametrize("max_norm", [0.0, 2.0, math.inf])
@pytest.mark.parametrize("odd", [[np.nan], [np.inf], [-np.inf], [np.inf, -np.inf], [np.nan, np.inf]])
def test_nan_and_inf_are_treated_as_torch_does(odd, max_norm, norm_type):
    parameters = make_parameters([1, -2, 3, 50, 0, *odd], np.float64)
    mirrors = make_mirrors(parameters)
    norm = nr.clip_grad_norm_(parameters, max_norm, norm_type)
    torch_norm = torch.nn.utils.clip_grad_norm_(mirrors, max_norm, norm_type)
    np.testing.assert_array_equal(norm, torch_norm.item())
    np.testing.assert_array_equal(parameters.grad, torch_grad(mirrors).numpy())


@pytest.mark.parametrize("norm_type", [2, 1, 3, 0.5, math.inf])
@pytest.mark.parametrize("size", [1e18, 1e20, 3e38, 1e-30, 1e-45])
def test_float32_overflows_and_underflows_where_torchs_does(size, norm_type):
    parameters = make_parameters([size, -size, 0, size / 2, size], np.float32)
    mirrors = make_mirrors(parameters)
    norm = nr.clip_grad_norm_(parameters, 1.0, norm_type)
    torch_norm = torch.nn.utils.clip_grad_norm_(mirrors, 1.0, norm_type)
    assert_equals_torch(np.array(norm, np.float32), torch_norm, "norm")
    assert_equals_torch(parameters.grad, torch_grad(mirrors), "grad")


@pytest.mark.parametrize("norm_type", [2, 1, math.inf])
@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_a_norm_that_is_not_finite_is_an_error_if_asked(odd, norm_type):
    parameters = make_parameters([1, -2, 3, 50, odd], np.float64)
    mirrors = make_mirrors(parameters)
    before = parameters.grad.copy()
    with pytest.raises(RuntimeError, match="non-finite"):
        torch.nn.utils.clip_grad_norm_(mirrors, 2.0, norm_type, error_if_nonfinite=True)
    with pytest.raises(RuntimeError, match=f"the gradients have a norm of {odd}, expected a finite one"):
        nr.clip_grad_norm_(parameters, 2.0, norm_type, error_if_nonfinite=True)
    np.testing.assert_array_equal(parameters.grad, before)
    parameters.grad[-1] = 0
    nr.clip_grad_norm_(parameters, 2.0, norm_type, error_if_nonfinite=True)
    assert np.abs(parameters.grad).max() < 2


@pytest.mark.parametrize("norm_type", [2, 1, math.inf])
def test_without_parameters_the_norm_is_zero_as_in_torch(norm_type):
    parameters = nr.CrossEntropyLoss().parameters()
    norm = nr.clip_grad_norm_(parameters, 1.0, norm_type, error_if_nonfinite=True)
    assert norm == torch.nn.utils.clip_grad_norm_([], 1.0, norm_type).item() == 0


@given(
    rng=some.rngs,
    dtype=some.dtypes,
    clip_value=st.sampled_from([0, 0.1, 0.5, 1.0, 1e9, math.inf]),
    foreach=st.booleans(),
)
def test_clipping_by_the_value_equals_torch(rng, dtype, clip_value, foreach):
    parameters = make_parameters([np.nan, np.inf, -np.inf, 0, *rng.standard_normal(20)], dtype)
    mirrors = make_mirrors(parameters)
    in_place = parameters.grad
    assert nr.clip_grad_value_(parameters, clip_value) is None
    torch.nn.utils.clip_grad_value_(mirrors, clip_value, foreach=foreach)
    assert in_place is parameters.grad
    np.testing.assert_array_equal(parameters.grad, torch_grad(mirrors).numpy())


def test_a_bound_beyond_float32_clips_nothing():
    parameters = make_parameters([1, -2, 3, -4, 3e38], np.float32)
    before = parameters.grad.copy()
    nr.clip_grad_value_(parameters, 1e300)
    np.testing.assert_array_equal(parameters.grad, before)


@pytest.mark.parametrize(
    ("clip", "error", "words"),
    [
        (lambda p: nr.clip_grad_norm_(p, -1.0), ValueError, r"max_norm must be in \[0, inf\], got -1.0"),
        (lambda p: nr.clip_grad_norm_(p, math.nan), ValueError, r"max_norm must be in \[0, inf\], got nan"),
        (lambda p: nr.clip_grad_norm_(p, "large"), TypeError, "max_norm must be a number, got 'large'"),
        (lambda p: nr.clip_grad_norm_(p, 1, 0), ValueError, "norm_type must be above 0, got 0"),
        (lambda p: nr.clip_grad_norm_(p, 1, -2), ValueError, "norm_type must be above 0, got -2"),
        (lambda p: nr.clip_grad_norm_(p, 1, "-inf"), TypeError, "norm_type must be a number, got '-inf'"),
        (lambda p: nr.clip_grad_norm_(p, 1, -math.inf), ValueError, "norm_type must be above 0, got -inf"),
        (
            lambda p: nr.clip_grad_norm_(p, 1, 2, "no"),
            TypeError,
            "error_if_nonfinite must be True or False, got 'no'",
        ),
        (lambda p: nr.clip_grad_norm_(p, 1, math.nan), ValueError, r"norm_type must be in \[-inf, inf\], got nan"),
        (lambda p: nr.clip_grad_norm_(p, 1, "fro"), TypeError, "norm_type must be a number, got 'fro'"),
        (lambda p: nr.clip_grad_value_(p, -1.0), ValueError, r"clip_value must be in \[0, inf\], got -1.0"),
        (lambda p: nr.clip_grad_value_(p, math.nan), ValueError, r"clip_value must be in \[0, inf\], got nan"),
    ],
)
def test_bad_arguments_are_named_and_change_nothing(clip, error, words):
    parameters = make_parameters([1, -2, 3, 50, 0], np.float64)
    with pytest.raises(error, match=words):
        clip(parameters)
    np.testing.assert_array_equal(parameters.grad, [1, -2, 3, 50, 0])


@pytest.mark.parametrize("clip", [nr.clip_grad_norm_, nr.clip_grad_value_])
def test_clipping_takes_real_parameters_not_layers(clip):
    with pytest.raises(TypeError, match="parameters must be real, got dtype complex128"):
        clip(nr.Linear(2, 2, dtype=complex).parameters(), 1.0)
    with pytest.raises(TypeError, match=r"parameters must be what layer.parameters\(\) returns, got Linear"):
        clip(nr.Linear(2, 2), 1.0)
