"""`Parameters.join`: what can be joined, and what copies of joined parts are."""

import copy
import pickle

import numpy as np
import pytest

import numpy_rnn as nr
from tests.test_parameters import make_model


@pytest.mark.parametrize("duplicate", [copy.deepcopy, copy.copy, lambda part: pickle.loads(pickle.dumps(part))])
def test_a_copy_of_a_joined_part_can_be_joined_again(duplicate):
    model = make_model()
    part = duplicate(model.fc.parameters())
    joined = nr.Parameters.join({"fc": part})
    before = model.fc.weight.data.copy()
    joined.data = 3
    np.testing.assert_array_equal(part["weight"], 3)
    np.testing.assert_array_equal(model.fc.weight, before)
    with pytest.raises(ValueError, match="part 'fc' has been joined already"):
        nr.Parameters.join({"fc": part})


def test_a_copied_model_is_still_joined():
    for model in (copy.deepcopy(make_model()), pickle.loads(pickle.dumps(make_model()))):
        with pytest.raises(ValueError, match="part 'fc' has been joined already"):
            nr.Parameters.join({"fc": model.fc.parameters()})


def test_a_part_without_tensors_has_no_dtype():
    fc, softmax = nr.Linear(3, 2, dtype=np.float64), nr.LogSoftmax(-1)
    for parts in ({"fc": fc, "softmax": softmax}, {"softmax": nr.LogSoftmax(-1), "fc": nr.Linear(3, 2, dtype=float)}):
        joined = nr.Parameters.join({name: layer.parameters() for name, layer in parts.items()})
        assert joined.data.dtype == np.float64
        assert list(joined) == ["fc.weight", "fc.bias"]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([nr.Linear(2, 2).parameters()], r'parts must be a mapping such as \{"fc": fc\.parameters\(\)\}, got list'),
        (
            {"a": nr.Linear(2, 2)},
            r"parts\['a'\] must be what layer\.parameters\(\) returns, got Linear: call its para",
        ),
        ({"a": None}, r"parts\['a'\] must be what layer\.parameters\(\) returns, got NoneType$"),
    ],
)
def test_what_is_joined_is_a_mapping_of_parameters(parts, words):
    with pytest.raises(TypeError, match=words):
        nr.Parameters.join(parts)


@pytest.mark.parametrize("user", [nr.Adam, lambda p: nr.clip_grad_norm_(p, 1.0), lambda p: nr.clip_grad_value_(p, 1)])
def test_a_list_of_parameters_is_pointed_to_join(user):
    fc = nr.Linear(2, 2)
    for several in ([fc.parameters()], {"fc": fc.parameters()}, iter([fc.weight])):
        with pytest.raises(
            TypeError, match=r"parameters must be .*; nr\.Parameters\.join joins those of several layers"
        ):
            user(several)
    with pytest.raises(TypeError, match=r"got Linear: call its parameters\(\)"):
        user(fc)
