"""Generation: feed the model its own predictions, one character at a time.

Dropout is off while generating, whatever the model's mode, and the tape of its last forward stays as it is.

Generated text holds whatever the vocabulary does. Lone surrogates, from a text read with errors="surrogateescape",
cannot be printed as UTF-8: write `text.encode("utf-8", "surrogateescape")` to get the bytes of the original back, or
`sys.stdout.reconfigure(errors="backslashreplace")` to see them; `shade` escapes them, and control characters too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.checks import ArgumentError, Array, as_size
from numpy_rnn.generation.sampling import Sampling, draw, finite_max, softmax
from numpy_rnn.text.vocabulary import Vocabulary

__all__ = ["generate", "generate_batch", "stream"]


def generate(
    model: CharRNN,
    vocabulary: Vocabulary,
    prompt: str,
    length: int,
    *,
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    rng: np.random.Generator | int | None = None,
) -> str:
    """Continue `prompt`: greedily, or with a temperature by drawing each character from the model's distribution.

    Parameters
    ----------
    model : CharRNN
    vocabulary : Vocabulary
        The one that the model was trained with.
    prompt : str
        At least one character: what the model reads first.
    length : int
        Length of the whole text, the prompt included.
    temperature : float, optional
        Above 0: divides the logits; 1 draws from what the model has learned. None: greedy, the most probable
        character each time, and of equal ones the first in the vocabulary.
    top_k : int, optional
        Draw from the k most probable characters only. Needs a temperature.
    top_p : float, optional
        Draw from as few of the most probable characters as together have this probability, in (0, 1], once
        temperature and top_k have been applied. Needs a temperature.
    rng : numpy.random.Generator or seed, optional
        Draws one uniform number for each new character; greedy draws none. None: a fresh generator.

    Returns
    -------
    str
        `length` characters that begin with `prompt`.

    Raises
    ------
    ValueError
        The prompt is empty, longer than `length`, or has characters that the vocabulary lacks; the vocabulary is not
        the model's size; or temperature, top_k or top_p is out of range.
    FloatingPointError
        The model's logits are not finite.
    """
    tokens = _read_prompt(model, vocabulary, prompt, length)
    choose = _chooser(temperature, top_k, top_p, rng)
    for logits in _logits(model, tokens, length, first=len(prompt) - 1):
        tokens.append(int(choose(logits)))
    return vocabulary.decode(tokens)


def stream(
    model: CharRNN,
    vocabulary: Vocabulary,
    prompt: str,
    length: int,
    *,
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    rng: np.random.Generator | int | None = None,
) -> Iterator[tuple[str, float]]:
    """Return an iterator over the text that `generate` returns, each character as it is made.

    Parameters
    ----------
    model, vocabulary, prompt, length, temperature, top_k, top_p, rng
        See `generate`. What is wrong with them is said at once, not at the first character.

    Yields
    ------
    character : str
        Those of the prompt first.
    probability : float
        What the model gave the character, before temperature, top_k and top_p: how little it surprised the model. Its
        -log is the loss in nats. nan for the first one, which nothing predicted.
    """
    tokens = _read_prompt(model, vocabulary, prompt, length)
    return _stream(model, vocabulary, tokens, length, _chooser(temperature, top_k, top_p, rng))


def generate_batch(
    model: CharRNN,
    vocabulary: Vocabulary,
    prompt: str,
    length: int,
    count: int,
    *,
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    rng: np.random.Generator | int | None = None,
) -> list[str]:
    """Continue `prompt` `count` times, all of them side by side: one matrix product a step for all samples.

    The samples are those of `count` calls of `generate` with the same Generator, one after the other: sample i has
    the uniform numbers that the i-th call would draw, whatever `count` is. (A product of many rows may round
    differently from one of a single row, which shows where a number falls on the very border of two characters.)

    Parameters
    ----------
    model, vocabulary, prompt, length, temperature, top_k, top_p, rng
        See `generate`. Without a temperature, all samples are the same.
    count : int
        At least 1.

    Returns
    -------
    list of str
    """
    tokens: list[Any] = list(_read_prompt(model, vocabulary, prompt, length))
    count = as_size("count", count)
    if temperature is None:
        return [generate(model, vocabulary, prompt, length, top_k=top_k, top_p=top_p)] * count
    sampling = Sampling(temperature, top_k, top_p)
    uniforms = np.random.default_rng(rng).random((count, length - len(prompt), 1))
    for i, logits in enumerate(_logits(model, tokens, length, first=len(prompt) - 1, count=count)):
        tokens.append(draw(sampling.distribution(logits), uniforms[:, i]))  # (count,)
    new = np.array(tokens[len(prompt) :], np.intp).reshape(-1, count)
    return [prompt + vocabulary.decode(sample) for sample in new.T]


def _read_prompt(model: CharRNN, vocabulary: Vocabulary, prompt: str, length: int) -> list[int]:
    """Return the prompt's tokens, once all arguments have been checked."""
    if not isinstance(vocabulary, Vocabulary):
        raise TypeError(f"vocabulary must be a Vocabulary, got {type(vocabulary).__name__}")
    if len(vocabulary) != model.vocab_size:
        raise ValueError(f"vocabulary has {len(vocabulary)} characters, expected the model's {model.vocab_size}")
    if not isinstance(prompt, str):
        raise TypeError(f"prompt must be a str, got {type(prompt).__name__}")
    if not prompt:
        raise ValueError("prompt is empty: generation starts from at least one character")
    if not isinstance(length, int | np.integer) or length < len(prompt):
        raise ValueError(f"length must be an integer of at least len(prompt) = {len(prompt)}, got {length!r}")
    tokens: list[int] = vocabulary.encode(prompt, name="prompt").tolist()
    return tokens


def _chooser(
    temperature: float | None, top_k: int | None, top_p: float | None, rng: np.random.Generator | int | None
) -> Callable[[Array], Any]:
    """Return the function that makes the next token of the logits (V,)."""
    if temperature is None:
        for name, value in (("top_k", top_k), ("top_p", top_p)):
            if value is not None:
                raise ArgumentError(name, f"does nothing without a temperature, got {value}")
        return np.ndarray.argmax
    sampling, rng = Sampling(temperature, top_k, top_p), np.random.default_rng(rng)
    return lambda logits: draw(sampling.distribution(logits), rng.random(1))


def _stream(
    model: CharRNN, vocabulary: Vocabulary, tokens: list[int], length: int, choose: Callable[[Array], Any]
) -> Iterator[tuple[str, float]]:
    yield vocabulary.characters[tokens[0]], math.nan
    for position, logits in enumerate(_logits(model, tokens, length, first=0), 1):
        if position == len(tokens):
            tokens.append(int(choose(logits)))
        token = tokens[position]
        yield vocabulary.characters[token], float(softmax(logits)[token])


def _logits(model: CharRNN, tokens: list[Any], length: int, first: int, count: int | None = None) -> Iterator[Array]:
    """Read tokens[0], tokens[1], ..., tokens[length - 2], and yield the logits after each one from `first` on.

    The caller appends what is to be read next. Each step overwrites the logits (V,) of the one before. With a
    `count`, the prompt is read once, and from `first` on that many samples go their own ways: then the logits are
    (count, V), and what is appended (count,).
    """
    bottom, *upper = (directions[0] for directions in model.rnn.layers)
    W_hh_T, W_fc_T, b_fc = bottom.weight_hh.data.T, model.fc.weight.data.T, model.parameters()["fc.bias"].data
    # Looking a row up commutes with the linear map that follows: W_ih weight[token] + b for every token at once.
    table = np.empty((model.vocab_size, model.hidden_size), model.dtype)
    h, z, *upper_h = (np.zeros(model.hidden_size, model.dtype) for _ in range(2 + len(upper)))
    logits = np.zeros(model.vocab_size, model.dtype)
    bottom.project(model.embedding.weight.data, table, z)
    inputs: Any = list(table)
    add, tanh = np.add, np.tanh
    for position in range(length - 1):
        if position == first and count is not None:
            h, z, logits, *upper_h = (np.tile(array, (count, 1)) for array in (h, z, logits, *upper_h))
            inputs = table
        h.dot(W_hh_T, z)
        add(z, inputs[tokens[position]], z)
        tanh(z, h)
        output = h
        for layer, h_k in zip(upper, upper_h, strict=True):
            output = layer.step(output, h_k)
        if position >= first:
            output.dot(W_fc_T, logits)
            add(logits, b_fc, logits)
            yield logits
    finite_max(logits)  # a nan in the state never leaves it: greedy, which does not look, would print nonsense
