"""Generation: feed the model its own predictions, one character at a time.

Dropout is off, whatever the model's mode, and the model's tape is left as it is.

Generated text can contain any character of the vocabulary. Lone surrogates, from a text read with
errors="surrogateescape", cannot be encoded as UTF-8: `text.encode("utf-8", "surrogateescape")` gives the original
bytes, and `sys.stdout.reconfigure(errors="backslashreplace")` makes `print` show them. `shade` escapes them, and
control characters too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, Unpack

import numpy as np

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.checks import ArgumentError, Array, as_size
from numpy_rnn.generation.sampling import Sampling, SamplingOptions, draw, finite_max, softmax
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
        return "".join(character for character, _ in stream(model, vocabulary, prompt, length, stop=stop, **sampling))
    tokens = _read_prompt(model, vocabulary, prompt, length)
    for _ in _continue(model, tokens, length, Sampling(**sampling), first=len(prompt) - 1):
        pass
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
        return [generate(model, vocabulary, prompt, length, stop=stop)] * count
    uniforms = chosen.rng.random((count, length - len(prompt), 1))
    last = np.array([vocabulary.encode(text[-1])[0] for text in stops.texts], np.intp)
    going = np.ones(count, bool)
    for i, logits in enumerate(_logits(model, tokens, length, first=len(prompt) - 1, count=count)):
        tokens.append(draw(chosen.distribution(logits), uniforms[:, i]))  # (count,)
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
    steps = _continue(model, tokens, length, sampling, first=0)
    # Each step by itself: between two of them the caller's own settings apply.
    for token, logits in iter(quiet(lambda: next(steps, None)), None):
        yield vocabulary.characters[token], float(softmax(logits)[token])


def _continue(
    model: CharRNN, tokens: list[int], length: int, sampling: Sampling, first: int
) -> Iterator[tuple[int, Array]]:
    """Append to `tokens` until there are `length`; yield those after number `first`, each with its logits."""
    for position, logits in enumerate(_logits(model, tokens, length, first), first + 1):
        if position == len(tokens):
            tokens.append(sampling.choose(logits))
        yield tokens[position], logits


def _logits(model: CharRNN, tokens: list[Any], length: int, first: int, count: int | None = None) -> Iterator[Array]:
    """Read tokens[0], tokens[1], ..., tokens[length - 2], and yield the logits (V,) after each one from `first` on.

    The caller appends the token to read next. Each step overwrites the previous logits. With a `count`, the prompt is
    read once and then continued that many times: the logits are (count, V), and the caller appends arrays (count,).
    """
    bottom, *upper = (directions[0] for directions in model.rnn.layers)
    W_fc_T, b_fc, add = model.fc.weight.data.T, model.parameters()["fc.bias"].data, np.add
    # Looking a row up commutes with the linear map that follows: W_ih weight[token] + b for every token at once.
    table = bottom.projected(model.embedding.weight.data)
    # What the step of each layer overwrites: scratch, and the states.
    layers, H = [bottom, *upper], model.hidden_size
    arrays = [[np.zeros(size, model.dtype) for size in (layer.width, *[H] * layer.states)] for layer in layers]
    step, *upper_steps = (layer.step(*each) for layer, each in zip(layers, arrays, strict=True))
    logits = np.zeros(model.vocab_size, model.dtype)
    inputs: Any = list(table)
    for position in range(length - 1):
        if position == first and count is not None:
            arrays = [[np.tile(array, (count, 1)) for array in each] for each in arrays]
            step, *upper_steps = (layer.step(*each) for layer, each in zip(layers, arrays, strict=True))
            inputs, logits = table, np.tile(logits, (count, 1))
        output = step(inputs[tokens[position]])
        for layer, step_k in zip(upper, upper_steps, strict=True):
            output = step_k(layer.projected(output))
        if position >= first:
            output.dot(W_fc_T, logits)
            add(logits, b_fc, logits)
            yield logits
    finite_max(logits)  # greedy choice does not notice nan; once in the state it stays there, so one check is enough
