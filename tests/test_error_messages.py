"""What the errors say, word for word: each names the argument, what it was and what was expected."""

import numpy as np
import pytest

import numpy_rnn as nr

LINEAR, EMBEDDING = nr.Linear(3, 2, rng=0), nr.Embedding(5, 2, rng=0)
SOFTMAX, NLL, CRITERION = nr.LogSoftmax(0), nr.NLLLoss(), nr.CrossEntropyLoss()
RNN, BATCH_FIRST = nr.RNN(3, 4, 2, rng=0), nr.RNN(3, 4, batch_first=True, rng=0)
X = np.zeros((5, 2, 3))  # (T, B, I)
CASTS = "expected one that casts to float32"
BATCH_FIRST_LOOKS = "a sequence looks batch-first: transpose it, or make the RNN with batch_first=True"
TIME_FIRST_LOOKS = "a sequence looks time-first: transpose it, or leave out batch_first=True"


def zeros(*shape, dtype=float):
    return np.zeros(shape, dtype)


def after(forward, backward):
    """A call of backward, after forward."""

    def call():
        forward()
        backward()

    return call


def of_rnn(layer, x, doutput, dh_n=None):
    return after(lambda: layer.forward(x), lambda: layer.backward(doutput, dh_n))


def adam(**options):
    return lambda: nr.Adam(nr.Parameters({"a": (2,), "b": (2,)}), **options)


def loading(spoil):
    """A call that loads the state of Adam after `spoil` has changed it."""

    def call():
        optimizer = adam()()
        optimizer.step()
        state = optimizer.state_dict()
        spoil(state)
        optimizer.load_state_dict(state)

    return call


CALLS = [
    # Linear and Embedding
    (lambda: nr.Linear(0, 2), "in_features must be at least 1, got 0"),
    (lambda: nr.Linear(3, 0), "out_features must be at least 1, got 0"),
    (lambda: LINEAR.forward(zeros(4, 3, dtype=complex)), f"x has dtype complex128, {CASTS}"),
    (
        after(lambda: LINEAR.forward(zeros(4, 3)), lambda: LINEAR.backward(zeros(4, 2, dtype=complex))),
        f"dy has dtype complex128, {CASTS}",
    ),
    (
        after(lambda: LINEAR.forward(zeros(4, 3)), lambda: LINEAR.backward(zeros(4, 3))),
        "dy has shape (4, 3), expected (*, out_features) = (4, 2)",
    ),
    (lambda: nr.Embedding(0, 2), "num_embeddings must be at least 1, got 0"),
    (lambda: nr.Embedding(5, 0), "embedding_dim must be at least 1, got 0"),
    (lambda: nr.Embedding(5, 2, padding_idx=1.0), "padding_idx must be an integer, got 1.0"),
    (lambda: EMBEDDING.forward([[5]]), "tokens must be in [0, 5), got 5 at [0, 0]"),
    (
        after(lambda: EMBEDDING.forward([1]), lambda: EMBEDDING.backward(zeros(1, 2, dtype=complex))),
        f"dy has dtype complex128, {CASTS}",
    ),
    (
        after(lambda: EMBEDDING.forward([1]), lambda: EMBEDDING.backward(zeros(1, 3))),
        "dy has shape (1, 3), expected (*tokens.shape, embedding_dim) = (1, 2)",
    ),
    # tapes
    (
        lambda: LINEAR.forward(zeros(4, 3), "tape"),
        "tape must be one that new_tape of this Linear made, got a str",
    ),
    (
        lambda: LINEAR.forward(zeros(4, 3), nr.Linear(3, 2).new_tape(4)),
        "tape must be one that new_tape of this Linear made, got a LinearTape of another layer",
    ),
    # RNN
    (lambda: nr.RNN(0, 4), "input_size must be at least 1, got 0"),
    (lambda: nr.RNN(3, 0), "hidden_size must be at least 1, got 0"),
    (lambda: nr.RNN(3, 4, 0), "num_layers must be at least 1, got 0"),
    (lambda: nr.RNN(3, 4, bias=1), "bias must be True or False, got 1"),
    (lambda: nr.RNN(3, 4, batch_first=1), "batch_first must be True or False, got 1"),
    (lambda: nr.RNN(3, 4, bidirectional=1), "bidirectional must be True or False, got 1"),
    (lambda: nr.RNN(3, 4, 2, dropout=1.5), "dropout must be in [0, 1], got 1.5"),
    (lambda: RNN.forward(zeros(5, 2, 3, dtype=complex)), f"x has dtype complex128, {CASTS}"),
    (
        lambda: RNN.forward(zeros(5, 2, 4)),
        "x has shape (5, 2, 4), expected (T, B, input_size) or, a single sequence, (T, input_size) "
        "with input_size = 3",
    ),
    (
        lambda: BATCH_FIRST.forward(zeros(2, 3, 5)),
        "x has shape (2, 3, 5), expected (B, T, input_size) or, a single sequence, (T, input_size) "
        "with input_size = 3; axis 1 looks like input_size: move it to the end",
    ),
    (lambda: RNN.forward(X, zeros(2, 2, 4, dtype=complex)), f"h_0 has dtype complex128, {CASTS}"),
    (
        lambda: RNN.forward(X, zeros(2, 3, 4)),
        "h_0 has shape (2, 3, 4), expected (num_layers * num_directions, B, hidden_size) = (2, 2, 4)",
    ),
    (
        lambda: RNN.forward(X, zeros(2, 5, 4)),
        "h_0 has shape (2, 5, 4), expected (num_layers * num_directions, B, hidden_size) = (2, 2, 4); "
        + BATCH_FIRST_LOOKS,
    ),
    (
        lambda: RNN.forward(zeros(5, 3, 3), zeros(3, 2, 4)),
        "h_0 has shape (3, 2, 4), expected (num_layers * num_directions, B, hidden_size) = (2, 3, 4); "
        "h_0 is never batch-first: transpose it",
    ),
    (
        lambda: RNN.forward(X[:, 0], zeros(2, 1, 4)),
        "h_0 has shape (2, 1, 4), expected for a single sequence (num_layers * num_directions, hidden_size) = (2, 4)",
    ),
    (lambda: RNN.forward(X, lengths=[[1], [1, 2]]), "lengths is not an array: ..."),
    (lambda: RNN.forward(X, lengths=[1, 2, 3]), "lengths has shape (3,), expected (B,) = (2,)"),
    (
        lambda: RNN.forward(X, lengths=[1, 2, 3, 4, 5]),
        f"lengths has shape (5,), expected (B,) = (2,); {BATCH_FIRST_LOOKS}",
    ),
    (lambda: RNN.forward(X, masks=[zeros(5, 2, 4, dtype=complex)]), f"masks[0] has dtype complex128, {CASTS}"),
    (
        lambda: RNN.forward(X, masks=[zeros(5, 2, 3)]),
        "masks[0] has shape (5, 2, 3), expected (T, B, num_directions * hidden_size) = (5, 2, 4)",
    ),
    (of_rnn(RNN, X, zeros(5, 2, 4, dtype=complex)), f"doutput has dtype complex128, {CASTS}"),
    (
        of_rnn(RNN, X, zeros(5, 2, 3)),
        "doutput has shape (5, 2, 3), expected (T, B, num_directions * hidden_size) = (5, 2, 4)",
    ),
    (
        of_rnn(RNN, X, zeros(2, 5, 4)),
        "doutput has shape (2, 5, 4), expected (T, B, num_directions * hidden_size) = (5, 2, 4); "
        + BATCH_FIRST_LOOKS,
    ),
    (
        of_rnn(BATCH_FIRST, X, zeros(5, 2, 3)),
        "doutput has shape (5, 2, 3), expected (B, T, num_directions * hidden_size) = (5, 2, 4)",
    ),
    (
        of_rnn(BATCH_FIRST, X, zeros(2, 5, 4)),
        "doutput has shape (2, 5, 4), expected (B, T, num_directions * hidden_size) = (5, 2, 4); " + TIME_FIRST_LOOKS,
    ),
    (
        of_rnn(RNN, X[:, 0], zeros(5, 1, 4)),
        "doutput has shape (5, 1, 4), expected for a single sequence (T, num_directions * hidden_size) = (5, 4)",
    ),
    (of_rnn(RNN, X, zeros(5, 2, 4), zeros(2, 2, 4, dtype=complex)), f"dh_n has dtype complex128, {CASTS}"),
    # losses
    (lambda: SOFTMAX.forward(zeros(3, dtype=int)), "x must be float32, float64 or complex128, got dtype int64"),
    (
        after(lambda: SOFTMAX.forward(zeros(3)), lambda: SOFTMAX.backward(zeros(3, dtype=complex))),
        "dy has dtype complex128, expected one that casts to float64",
    ),
    (lambda: nr.NLLLoss([[1], [1, 2]]), "weight is not an array: ..."),
    (lambda: nr.NLLLoss(["a"]), "weight has dtype <U1, expected one that casts to float64"),
    (lambda: NLL.forward(zeros(2, 3), [[0], [0, 1]]), "targets is not an array: ..."),
    (lambda: NLL.forward(zeros(2, 3), [0, 3]), "targets must be in [0, 3), got 3 at [1]"),
    (lambda: nr.NLLLoss(ignore_index=0).forward(zeros(2, 3), [0, 3]), "targets must be in [0, 3), got 3 at [1]"),
    (
        lambda: nr.CharRNN(5, 2, 2).loss_and_gradients([[0]], [[None]]),
        "targets must be an array of numbers, got list",
    ),
    (lambda: nr.CrossEntropyLoss(ignore_index=1.5), "ignore_index must be an integer, got 1.5"),
    (lambda: nr.CrossEntropyLoss(label_smoothing=2), "label_smoothing must be in [0, 1], got 2"),
    (lambda: CRITERION.forward(zeros(2, 3), [[0], [0, 1]]), "targets is not an array: ..."),
    (
        lambda: CRITERION.forward(zeros(2, 3), zeros(2, 3, dtype=complex)),
        "targets has dtype complex128, expected one that casts to float64",
    ),
    (
        lambda: nr.CrossEntropyLoss(ignore_index=0).forward(zeros(2, 3), zeros(2, 3)),
        "ignore_index must be negative if targets are probabilities, got 0",
    ),
    # Adam
    (lambda: nr.Linear(3, 2, bias=1), "bias must be True or False, got 1"),
    (lambda: CRITERION.new_tape(-1, 2), "N must be at least 0, got -1"),
    (lambda: CRITERION.new_tape(1, 0), "C must be at least 1, got 0"),
    (loading(lambda s: s.update(state=None)), "state_dict must have a mapping 'state' and a list 'param_groups'"),
    (
        loading(lambda s: s.update(param_groups={})),
        "state_dict must have a mapping 'state' and a list 'param_groups'",
    ),
    (adam(lr=-1), "lr must be in [0, inf), got -1"),
    (adam(eps=-1), "eps must be in [0, inf), got -1"),
    (adam(betas=(1, 0.9)), "betas[0] must be in [0, 1), got 1"),
    (adam(betas=(0.9, 1)), "betas[1] must be in [0, 1), got 1"),
    (adam(weight_decay=-1), "weight_decay must be in [0, inf), got -1"),
    (
        loading(lambda s: s["param_groups"][0].pop("lr")),
        "param_groups[0] does not fit: missing ['lr'], unexpected []",
    ),
    (loading(lambda s: s["state"].pop(1)), "state does not fit: missing [1], unexpected []"),
    (loading(lambda s: s["state"][0].pop("step")), "state of a does not fit: missing ['step'], unexpected []"),
    (loading(lambda s: s["state"][0].update(step="x")), "step of a must be a number, got 'x'"),
    (
        loading(lambda s: s["state"][1].update(exp_avg=zeros(2, dtype=complex))),
        f"exp_avg of b has dtype complex128, {CASTS}",
    ),
    (
        loading(lambda s: s["state"][1].update(exp_avg_sq=zeros(3))),
        "exp_avg_sq of b has shape (3,), expected the parameter's shape = (2,)",
    ),
]


@pytest.mark.parametrize(("call", "message"), CALLS, ids=[message[:60] for _, message in CALLS])
def test_an_error_says_what_was_wrong(call, message):
    with pytest.raises((IndexError, KeyError, TypeError, ValueError)) as error:
        call()
    said = error.value.args[0]
    if message.endswith(" ..."):  # NumPy's own words follow
        said = said[: len(message) - 4] + " ..."
    assert said == message
