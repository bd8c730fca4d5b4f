"""Generation: feed the model its own predictions, one character at a time.

Dropout is off, whatever the model's mode, and the model's tape is left as it is.

Generated text can contain any character of the vocabulary. Lone surrogates, from a text read with
errors="surrogateescape", cannot be encoded as UTF-8: `text.encode("utf-8", "surrogateescape")` gives the original
bytes, and `sys.stdout.reconfigure(errors="backslashreplace")` makes `print` show them. `shade` escapes them, and
control characters too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any, Unpack

import numpy as np

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.checks import ArgumentError, Array, as_size
from numpy_rnn.generation.sampling import Sampling, SamplingOptions, draw, softmax
from numpy_rnn.generation.stops import Stops
from numpy_rnn.layers.layer import quiet
from numpy_rnn.text.vocabulary import Vocabulary

__all__ = ["generate", "generate_batch", "stream"]


@quiet
def generate(
    model: CharRNN,
    vocabulary: Vocabulary,
    prompt: str,
    length: int,
    *,
    stop: str | Iterable[str] | None = None,
    **sampling: Unpack[SamplingOptions],
) -> str:
    """Continue `prompt` with the most probable character each time, or with characters drawn at random.

    Parameters
    ----------
    model : CharRNN
    vocabulary : Vocabulary
        The one the model was trained with.
    prompt : str
        The text the model reads first; at least one character.
    length : int
        Length of the result, including the prompt.
    stop : str, or several of them, optional
        End where the new characters contain one of these texts, and leave it out. The prompt is not searched.
    temperature : float, optional
        Draw each character from the model's distribution, with the logits divided by `temperature`. 1 draws from
        what the model has learned. Default, and 0: greedy, the most probable character each time, and of equally
        probable ones the first in the vocabulary.
    top_k : int, optional
        Draw from the k most probable characters only. Needs a temperature.
    top_p : float, optional
        Draw from the smallest set of most probable characters that together have at least this probability, in
        (0, 1], after temperature and top_k have been applied. Needs a temperature.
    rng : numpy.random.Generator or seed, optional
        Used for one uniform number per new character, and not at all without a temperature. Default: a new, randomly
        seeded generator.

    Returns
    -------
    str
        `length` characters that begin with `prompt`; fewer if there was a `stop`.

    Raises
    ------
    ValueError
        `prompt` is empty, longer than `length`, or has characters that are not in the vocabulary; the vocabulary's
        size is not the model's; temperature, top_k or top_p is out of range; or `stop` can never be written.
    FloatingPointError
        The model's logits are not finite.
    """
    stops = Stops(stop, vocabulary)
    if stops.texts:
        characters = stream(model, vocabulary, prompt, length, stop=stops.texts, **sampling)
        return "".join(character for character, _ in characters)
    tokens, choose = _read_prompt(model, vocabulary, prompt, length), Sampling(**sampling).choose
    read = _reader(model, tokens)
    for _ in range(length - len(prompt)):
        tokens.append(choose(read(tokens[-1])))
    return vocabulary.decode(tokens)


def stream(
    model: CharRNN,
    vocabulary: Vocabulary,
    prompt: str,
    length: int,
    *,
    stop: str | Iterable[str] | None = None,
    **sampling: Unpack[SamplingOptions],
) -> Iterator[tuple[str, float]]:
    """Return an iterator over the text that `generate` returns, one character at a time as it is made.

    Characters that may turn out to be the beginning of a `stop` are held back until that is known.

    Parameters
    ----------
    model, vocabulary, prompt, length, stop, temperature, top_k, top_p, rng
        See `generate`. They are checked at once, not when the first character is requested.

    Yields
    ------
    character : str
        Starting with those of the prompt.
    probability : float
        The model's probability of the character, before temperature, top_k and top_p; -log of it is the loss in nats.
        nan for the first character, which nothing predicts.
    """
    tokens, stops = _read_prompt(model, vocabulary, prompt, length), Stops(stop, vocabulary)
    characters = _stream(model, vocabulary, tokens, length, Sampling(**sampling))
    return chain(islice(characters, len(prompt)), stops.until(characters)) if stops.texts else characters


@quiet
def generate_batch(
    model: CharRNN,
    vocabulary: Vocabulary,
    prompt: str,
    length: int,
    count: int,
    *,
    stop: str | Iterable[str] | None = None,
    **sampling: Unpack[SamplingOptions],
) -> list[str]:
    """Continue `prompt` `count` times at once, with one matrix product per step for all samples.

    The samples are those of `count` calls of `generate` with the same Generator: sample i uses the uniform numbers
    that the i-th call would draw, whatever `count` is. (A matrix product with many rows may round differently from
    one with a single row. That shows only where a uniform number falls exactly between two characters.)

    With `stop`, they are the same samples, each cut before its first stop text.

    Parameters
    ----------
    model, vocabulary, prompt, length, stop, temperature, top_k, top_p, rng
        See `generate`. Without a temperature, all samples are the same.
    count : int
        At least 1.

    Returns
    -------
    list of str
    """
    tokens: list[Any] = list(_read_prompt(model, vocabulary, prompt, length))
    count, stops, chosen = as_size("count", count), Stops(stop, vocabulary), Sampling(**sampling)
    if chosen.rng is None:
        return [generate(model, vocabulary, prompt, length, stop=stops.texts)] * count
    uniforms = chosen.rng.random((count, length - len(prompt), 1))
    last = np.array([vocabulary.encode(text[-1])[0] for text in stops.texts], np.intp)
    going = np.ones(count, bool)
    read = _reader(model, tokens, (count,))
    for i in range(length - len(prompt)):
        tokens.append(draw(chosen.distribution(read(tokens[-1])), uniforms[:, i]))  # (count,)
        if last.size:
            for k in np.flatnonzero(going & np.isin(tokens[-1], last)):
                tail = [new[k] for new in tokens[max(len(prompt), len(tokens) - stops.longest) :]]
                going[k] = not stops.at_end(vocabulary.decode(tail))
            if not going.any():
                break
    new = np.array(tokens[len(prompt) :], np.intp).reshape(-1, count)
    return [prompt + stops.before(vocabulary.decode(sample)) for sample in new.T]


def _read_prompt(model: CharRNN, vocabulary: Vocabulary, prompt: str, length: int) -> list[int]:
    """Check the arguments and return the tokens of the prompt."""
    model.check_own("generate")
    if not isinstance(vocabulary, Vocabulary):
        raise TypeError(f"vocabulary must be a Vocabulary, got {type(vocabulary).__name__}")
    if len(vocabulary) != model.vocab_size:
        raise ValueError(f"vocabulary has {len(vocabulary)} characters, expected the model's {model.vocab_size}")
    if not isinstance(prompt, str):
        raise TypeError(f"prompt must be a str, got {type(prompt).__name__}")
    if not prompt:
        raise ArgumentError("prompt", "is empty: generation starts from at least one character")
    if not isinstance(length, int | np.integer) or length < len(prompt):
        raise ValueError(f"length must be an integer of at least len(prompt) = {len(prompt)}, got {length!r}")
    tokens: list[int] = vocabulary.encode(prompt, name="prompt").tolist()
    return tokens


def _stream(
    model: CharRNN, vocabulary: Vocabulary, tokens: list[int], length: int, sampling: Sampling
) -> Iterator[tuple[str, float]]:
    yield vocabulary.characters[tokens[0]], math.nan
    # Each call is quiet by itself: between two of them the caller's own settings apply.
    read, choose = quiet(_reader(model, tokens[:1])), quiet(sampling.choose)
    for position in range(1, length):
        logits = read(tokens[position - 1])
        if position == len(tokens):
            tokens.append(choose(logits))
        token = tokens[position]
        yield vocabulary.characters[token], float(softmax(logits)[token])


@quiet
def _reader(model: CharRNN, tokens: list[int], batch: tuple[int, ...] = ()) -> Callable[[Any], Array]:
    """Read all `tokens` but the last, and return a function that reads one more and returns the logits after it.

    Each call overwrites the previous logits, (V,). With a `batch` of (count,), it reads arrays (count,), or one token
    for all, and the logits are (count, V).
    """
    layers, H = [directions[0] for directions in model.rnn.layers], model.hidden_size
    # Looking a row up commutes with the linear map that follows: W_ih weight[token] + b for every token at once.
    table = layers[0].projected(model.embedding.weight.data)
    inputs = table if batch else list(table)
    # What the step of each layer overwrites: scratch, and the states.
    arrays = [[np.zeros((*batch, n), model.dtype) for n in (layer.width, *[H] * layer.states)] for layer in layers]
    # The output layer as one call: [W, b] times [h, 1], where h is the last layer's own.
    W_b_T = np.column_stack([model.fc.weight.data, model.parameters()["fc.bias"].data]).T
    h_1, logits = np.ones((*batch, H + 1), model.dtype), np.empty((*batch, model.vocab_size), model.dtype)
    arrays[-1][1] = h_1[..., :H]
    arrays[-1][1][...] = 0
    step, *upper_steps = (layer.step(*each) for layer, each in zip(layers, arrays, strict=True))
    upper = list(zip(layers[1:], upper_steps, strict=True))

    def advance(token: Any) -> None:
        h = step(inputs[token])
        for layer, step_k in upper:
            h = step_k(layer.projected(h))

    def read(token: Any) -> Array:
        advance(token)
        h_1.dot(W_b_T, logits)
        return logits

    for token in tokens[:-1]:
        advance(token)
    return read
