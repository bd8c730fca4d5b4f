import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
import torch_reference
from tests import strategies as some
from torch_reference.compare import make_mirror

LETTERS = "abcdefghi"


@given(
    rng=some.rngs, V=some.V, E=some.sizes, H=some.sizes, L=st.integers(1, 3), extra=st.integers(0, 9), data=st.data()
)
def test_generation_is_the_most_probable_character_each_time(rng, V, E, H, L, extra, data):
    vocabulary = nr.Vocabulary(LETTERS[:V])
    model = nr.CharRNN(V, E, H, L, dtype=np.float64, rng=rng)
    prompt = data.draw(st.text(LETTERS[:V], min_size=1, max_size=4))
    text = nr.generate(model, vocabulary, prompt, len(prompt) + extra)

    expected = prompt
    while len(expected) < len(prompt) + extra:  # the plain form: read everything again for each character
        logits, _ = model.forward(vocabulary.encode(expected).reshape(-1, 1))
        expected += vocabulary.decode([logits[-1, 0].argmax()])
    assert text == expected
    assert torch_reference.generate(make_mirror(model), vocabulary, prompt, len(text)) == expected


def test_bad_input_is_named():
    vocabulary = nr.Vocabulary.from_text("Hello")
    model = nr.CharRNN(len(vocabulary), rng=0)
    with pytest.raises(ValueError, match="prompt is empty"):
        nr.generate(model, vocabulary, "", 5)
    with pytest.raises(ValueError, match="the character 'x' at position 1"):
        nr.generate(model, vocabulary, "Hx", 5)
    with pytest.raises(ValueError, match=r"length must be an integer of at least len\(prompt\) = 5, got 4"):
        nr.generate(model, vocabulary, "Hello", 4)
    with pytest.raises(ValueError, match="length must be an integer"):
        nr.generate(model, vocabulary, "H", 4.5)
    with pytest.raises(TypeError, match="prompt must be a str, got NoneType"):
        nr.generate(model, vocabulary, None, 5)
    with pytest.raises(TypeError, match="vocabulary must be a Vocabulary, got str"):
        nr.generate(model, "Helo", "H", 5)
    with pytest.raises(ValueError, match="vocabulary has 3 characters, expected the model's 4"):
        nr.generate(model, nr.Vocabulary("abc"), "a", 4)
