"""Generation and sampling against PyTorch."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn.generation.sampling import Sampling, softmax
from tests import strategies as some
from tests.generation.test_generate import LETTERS, layers
from tests.generation.test_sampling import CLOSE, temperatures

torch = pytest.importorskip("torch")

import torch_reference  # noqa: E402
from tests.references import tensor  # noqa: E402
from torch_reference import make_mirror  # noqa: E402


@given(rng=some.rngs, V=some.V, E=some.sizes, H=some.sizes, L=layers, extra=st.integers(0, 9), data=st.data())
def test_the_mirror_generates_the_same_text(rng, V, E, H, L, extra, data):
    vocabulary = nr.Vocabulary(LETTERS[:V])
    model = nr.CharRNN(V, E, H, L, dtype=np.float64, rng=rng)
    prompt = data.draw(st.text(LETTERS[:V], min_size=1, max_size=4))
    length = len(prompt) + extra
    text = nr.generate(model, vocabulary, prompt, length)
    assert torch_reference.generate(make_mirror(model), vocabulary, prompt, length) == text


@given(rng=some.rngs, V=some.V, temperature=temperatures, dtype=some.dtypes, layout=some.layouts)
def test_softmax_is_torchs_in_float64(rng, V, temperature, dtype, layout):
    logits = some.normal(rng, 3, V, dtype=dtype, layout=layout) * dtype(5)
    theirs = torch.softmax(tensor(logits).double() / temperature, dim=-1)
    np.testing.assert_allclose(softmax(logits, temperature), theirs.numpy(), **CLOSE)


@given(rng=some.rngs, V=some.V, temperature=temperatures, top_k=st.integers(1, 10), top_p=st.floats(0.001, 1.0))
def test_the_filters_are_torchs_topk_sort_and_cumsum(rng, V, temperature, top_k, top_p):
    logits = some.normal(rng, 4, V) * 2
    scores = tensor(logits) / temperature
    kept = torch.topk(scores, min(top_k, V), dim=-1)
    after_k = torch.full_like(scores, -math.inf).scatter(-1, kept.indices, kept.values)
    ordered, order = torch.sort(after_k, descending=True, dim=-1)
    reached = torch.softmax(ordered, dim=-1).cumsum(dim=-1)
    more_probable = torch.cat([torch.zeros(4, 1, dtype=torch.float64), reached[:, :-1]], dim=-1)
    after_p = after_k.masked_fill(
        torch.zeros_like(scores, dtype=bool).scatter(-1, order, more_probable >= top_p), -math.inf
    )

    only_k, both = Sampling(temperature, top_k), Sampling(temperature, top_k, top_p)
    np.testing.assert_allclose(only_k.distribution(logits), torch.softmax(after_k, dim=-1).numpy(), **CLOSE)
    np.testing.assert_allclose(both.distribution(logits), torch.softmax(after_p, dim=-1).numpy(), **CLOSE)
