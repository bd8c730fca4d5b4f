import copy
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from tests import strategies as some
from tests.generation.test_sampling import distribution_written_out

LETTERS = "abcdefghi"

options = st.fixed_dictionaries(
    {"temperature": st.sampled_from([0.3, 1.0, 2.5])},
    optional={"top_k": st.integers(1, 9), "top_p": st.floats(0.01, 1.0)},
)
layers = st.integers(1, 3)
seeds = st.integers(0, 2**32 - 1)
prompts = st.integers(1, 4)


def make(rng, V, E, H, L, dtype=np.float64, dropout=0.0):
    """Return a model whose logits differ enough for temperature and filters to matter, and its vocabulary."""
    model = nr.CharRNN(V, E, H, L, dropout=dropout if L > 1 else 0, dtype=dtype, rng=rng)
    model.fc.weight.data *= 4
    return model, nr.Vocabulary(LETTERS[:V])


def make_prompt(rng, vocabulary, length):
    return vocabulary.decode(some.tokens(rng, len(vocabulary), length))


def next_logits(model, vocabulary, text):
    """The simple way: read the whole text again for each character, without dropout."""
    twin = copy.deepcopy(model).eval()
    return twin.forward(vocabulary.encode(text).reshape(-1, 1))[0][-1, 0]


@given(
    rng=some.rngs, V=some.V, E=some.sizes, H=some.sizes, L=st.integers(1, 3), extra=st.integers(0, 9), data=st.data()
)
def test_generation_is_the_most_probable_character_each_time(rng, V, E, H, L, extra, data):
    vocabulary = nr.Vocabulary(LETTERS[:V])
    model = nr.CharRNN(V, E, H, L, dtype=np.float64, rng=rng)
    prompt = data.draw(st.text(LETTERS[:V], min_size=1, max_size=4))
    text = nr.generate(model, vocabulary, prompt, len(prompt) + extra)

    expected = prompt
    while len(expected) < len(prompt) + extra:  # read the whole text again for each character
        logits, _ = model.forward(vocabulary.encode(expected).reshape(-1, 1))
        expected += vocabulary.decode([logits[-1, 0].argmax()])
    assert text == expected


@given(
    rng=some.rngs,
    V=some.V,
    E=some.sizes,
    H=some.sizes,
    L=layers,
    T=prompts,
    extra=st.integers(0, 9),
    options=options,
    seed=seeds,
)
def test_sampling_draws_from_the_distribution_each_time(rng, V, E, H, L, T, extra, options, seed):
    model, vocabulary = make(rng, V, E, H, L)
    prompt = make_prompt(rng, vocabulary, T)
    text = nr.generate(model, vocabulary, prompt, T + extra, rng=seed, **options)

    expected, uniform = prompt, np.random.default_rng(seed)
    while len(expected) < T + extra:
        p = distribution_written_out(next_logits(model, vocabulary, expected).tolist(), **options)
        u = uniform.random()
        expected += vocabulary.characters[next(c for c in range(V) if sum(p[: c + 1]) > u)]
    assert text == expected


@given(
    rng=some.rngs, V=some.V, L=layers, T=prompts, extra=st.integers(0, 9), seed=seeds, options=st.just({}) | options
)
def test_the_stream_is_the_text_with_the_models_own_probabilities(rng, V, L, T, extra, seed, options):
    model, vocabulary = make(rng, V, 4, 5, L)
    prompt = make_prompt(rng, vocabulary, T)
    characters, probabilities = zip(
        *nr.stream(model, vocabulary, prompt, T + extra, rng=seed, **options), strict=True
    )
    text = "".join(characters)
    assert text == nr.generate(model, vocabulary, prompt, T + extra, rng=seed, **options)
    assert all(type(p) is float for p in probabilities)
    assert math.isnan(probabilities[0])
    # Whatever the temperature and filters, -log p is the loss of the text; 1e-12 for another order of summation.
    if len(text) > 1:
        tokens = vocabulary.encode(text).reshape(-1, 1)
        loss, _ = model.loss_and_gradients(tokens[:-1], tokens[1:])
        assert -np.mean(np.log(probabilities[1:])) == pytest.approx(loss, rel=1e-12, abs=1e-14)
    for t in range(1, len(text)):
        p = distribution_written_out(next_logits(model, vocabulary, text[:t]).tolist())
        assert probabilities[t] == pytest.approx(p[vocabulary.encode(text[t])[0]], rel=1e-10, abs=1e-14)


@given(
    rng=some.rngs,
    V=some.V,
    L=layers,
    T=prompts,
    extra=st.integers(0, 9),
    seed=seeds,
    count=st.integers(1, 6),
    options=st.just({}) | options,
)
def test_a_batch_equals_that_many_calls_one_after_the_other(rng, V, L, T, extra, seed, count, options):
    model, vocabulary = make(rng, V, 4, 5, L)
    prompt = make_prompt(rng, vocabulary, T)
    one_by_one, side_by_side = (np.random.default_rng(seed) for _ in range(2))
    expected = [nr.generate(model, vocabulary, prompt, T + extra, rng=one_by_one, **options) for _ in range(count)]
    samples = nr.generate_batch(model, vocabulary, prompt, T + extra, count, rng=side_by_side, **options)
    assert samples == expected
    assert one_by_one.random() == side_by_side.random()  # both have drawn equally many numbers
    if not options:
        assert len(set(samples)) == 1


def test_samples_differ():
    model, vocabulary = make(0, 9, 8, 16, 2)
    samples = nr.generate_batch(model, vocabulary, "ab", 40, 200, temperature=1.0, rng=0)
    assert len(set(samples)) == 200
    assert samples[:7] == nr.generate_batch(model, vocabulary, "ab", 40, 7, temperature=1.0, rng=0)
    assert samples != nr.generate_batch(model, vocabulary, "ab", 40, 200, temperature=1.0, rng=1)


def test_the_frequencies_of_a_batch_are_the_models_probabilities():
    """Pearson's chi-square, 8 degrees of freedom: a correct generator exceeds 26.1 with one seed in a thousand."""
    model, vocabulary = make(3, 9, 8, 16, 2)
    n = 20_000
    samples = nr.generate_batch(model, vocabulary, "abc", 4, n, temperature=1.5, rng=0)
    p = np.array(distribution_written_out(next_logits(model, vocabulary, "abc").tolist(), temperature=1.5))
    counts = np.array([sum(sample[3] == character for sample in samples) for character in vocabulary.characters])
    assert ((counts - n * p) ** 2 / (n * p)).sum() < 26.1


@given(rng=some.rngs, V=some.V, L=layers, seed=seeds, dtype=some.dtypes)
def test_drawing_from_one_character_is_greedy(rng, V, L, seed, dtype):
    model, vocabulary = make(rng, V, 4, 5, L, dtype)
    greedy = nr.generate(model, vocabulary, "a", 12)
    assert nr.generate(model, vocabulary, "a", 12, temperature=0, rng=seed) == greedy
    for narrow in ({"temperature": 3.0, "top_k": 1}, {"temperature": 1.0, "top_p": 1e-9}, {"temperature": 1e-30}):
        assert nr.generate(model, vocabulary, "a", 12, rng=seed, **narrow) == greedy


def test_a_seed_makes_the_text_repeatable():
    model, vocabulary = make(0, 9, 8, 16, 1, np.float32)
    first, again, other = (nr.generate(model, vocabulary, "a", 50, temperature=1, rng=seed) for seed in (7, 7, 8))
    assert first == again != other
    free = {nr.generate(model, vocabulary, "a", 50, temperature=1) for _ in range(2)}
    assert len(free) == 2


@pytest.mark.parametrize("training", [True, False])
def test_generating_leaves_the_model_as_it_was(training):
    model, vocabulary = make(0, 9, 8, 16, 3, dropout=0.5)
    model.train(training)
    dlogits = np.random.default_rng(0).standard_normal((5, 2, 9))
    model.forward(np.random.default_rng(0).integers(0, 9, (5, 2)))
    tape, logits, rng_state = model.tape, model.tape.logits.copy(), model.rnn.rng.bit_generator.state
    dh_0, gradients = model.backward(dlogits), model.parameters().grad.copy()
    model.parameters().grad[...] = 7
    values = model.parameters().data.copy()

    greedy = nr.generate(model, vocabulary, "ab", 30)
    sampled = nr.generate(model, vocabulary, "ab", 30, temperature=1, rng=0)
    list(nr.stream(model, vocabulary, "ab", 30))
    assert nr.generate_batch(model, vocabulary, "ab", 30, 2, temperature=1, rng=0)[0] == sampled

    assert model.training == model.rnn.training == training
    assert model.tape is tape
    assert model.rnn.rng.bit_generator.state == rng_state
    assert (model.parameters().grad == 7).all()
    np.testing.assert_array_equal(model.parameters().data, values)
    np.testing.assert_array_equal(tape.logits, logits)
    np.testing.assert_array_equal(model.backward(dlogits), dh_0)
    np.testing.assert_array_equal(model.parameters().grad, gradients)
    # Dropout was off in either mode.
    assert greedy == nr.generate(model.eval(), vocabulary, "ab", 30)
    for t in range(2, 30):
        assert greedy[t] == vocabulary.characters[next_logits(model, vocabulary, greedy[:t]).argmax()]


def test_a_text_as_long_as_its_prompt_draws_nothing():
    model, vocabulary = make(0, 4, 3, 3, 2)
    rng, options = np.random.default_rng(0), {"temperature": 1.0}
    assert nr.generate(model, vocabulary, "abc", 3, rng=rng, **options) == "abc"
    assert nr.generate_batch(model, vocabulary, "abc", 3, 2, rng=rng, **options) == ["abc", "abc"]
    assert nr.generate_batch(model, vocabulary, "a", 1, 2, rng=rng, **options) == ["a", "a"]
    assert [character for character, _ in nr.stream(model, vocabulary, "abc", 3, rng=rng, **options)] == list("abc")
    assert rng.random() == np.random.default_rng(0).random()


def test_the_stream_comes_character_by_character():
    model, vocabulary = make(0, 4, 3, 3, 2)
    rng = np.random.default_rng(0)
    stream = nr.stream(model, vocabulary, "ab", 10**12, temperature=1, rng=rng)  # far too long to wait for
    first = [next(stream) for _ in range(5)]
    assert "".join(character for character, _ in first)[:2] == "ab"
    after_three = np.random.default_rng(0)
    after_three.random(3)
    assert rng.random() == after_three.random()


def test_an_infinite_logit_is_an_error_even_if_the_next_is_finite():
    model, vocabulary = nr.CharRNN(8, 4, 4, rng=0), nr.Vocabulary.from_text("abcdefgh")
    model.fc.weight.data[2, 0] = np.inf  # the logit of c is +inf or -inf with the sign of the first unit
    assert np.isneginf(next_logits(model, vocabulary, "adc")[2])
    for call in (nr.generate, lambda *arguments: list(nr.stream(*arguments))):
        with pytest.raises(FloatingPointError, match="the largest logit is inf"):
            call(model, vocabulary, "a", 4)
