"""What a tape holds, and that a training step allocates no array that grows with T, B, H or V."""

import tracemalloc

import numpy as np
import pytest

import numpy_rnn as nr

SHAPES = [
    (65, 32, 64, 50, 32),  # fewer characters than tokens: the table is projected
    (3000, 32, 64, 35, 20),  # more: the rows that were looked up are
    (65, 32, 256, 200, 1),  # one sequence
]
# Arrays of N H numbers: h, z and doutput; and for an LSTM c, the four gates, tanh(c), its slope, and scratch like z;
# for a GRU r, u, n, m, dh, a slope, and scratch like z.
STATES = {"rnn": 3, "lstm": 6 + 7 + 4, "gru": 5 + 6 + 3}
VIEWS = {"rnn": 6, "lstm": 24, "gru": 21}


@pytest.fixture(params=[(cell, shape) for cell in STATES for shape in SHAPES], ids=str)
def step(request):
    """Return one training step of a cell at a shape, and both."""
    cell, (V, E, H, T, B) = request.param
    model = nr.CharRNN(V, E, H, cell=cell, rng=0)
    optimizer = nr.Adam(model.parameters())
    tokens, targets = np.random.default_rng(0).integers(0, V, (2, T, B))

    def run():
        model.loss_and_gradients(tokens, targets)
        optimizer.step()

    tracemalloc.start()
    yield run, request.param
    tracemalloc.stop()


def test_a_step_after_the_first_allocates_nothing_that_grows(step):
    run, (cell, (_, _, H, T, B)) = step
    run()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    run()
    after, peak = tracemalloc.get_traced_memory()
    # What is left: a few of NumPy's buffers of 8192 elements, and where each character begins in the sorted order, a
    # few machine words for each character that occurs. The tape's arrays that grow are larger.
    assert peak - before < (80 if cell == "rnn" else 136) * 1024 < 4 * T * B * H
    assert after - before < 4096


def test_the_tape_holds_little_beyond_what_it_must(step):
    run, (cell, (V, E, H, T, B)) = step
    before = tracemalloc.get_traced_memory()[0]
    run()
    held = tracemalloc.get_traced_memory()[0] - before
    N = T * B
    states = STATES[cell] * N * H
    classes = 2 * N * V  # logits and probabilities, which become the gradient in place
    table = 2 * V * H if V <= N else 2 * N * E  # the projected table or the rows looked up, and their gradient
    G = {"rnn": 1, "lstm": 4, "gru": 3}[cell]
    weights = 0 if G == 1 else G * H * (E + H)  # scaled copies
    views = VIEWS[cell] * T * 200  # bytes of the objects that name each time step's part of the arrays
    assert held <= 1.25 * 4 * (states + classes + G * table + weights) + views


@pytest.mark.parametrize("decoupled_weight_decay", [False, True])
def test_adam_with_every_option_and_clipping_allocate_nothing(decoupled_weight_decay):
    parameters = nr.Parameters({"a": (100_000,)})  # four blocks
    parameters.grad = 1
    options = {"weight_decay": 0.1, "amsgrad": True, "maximize": True}
    optimizer = nr.Adam(parameters, decoupled_weight_decay=decoupled_weight_decay, **options)
    optimizer.step()
    tracemalloc.start()
    optimizer.step()
    nr.clip_grad_norm_(parameters, 1.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4096  # views of the blocks, and numbers


def test_log_softmax_on_one_tape_allocates_nothing():
    layer, x = nr.LogSoftmax(0), np.random.default_rng(0).standard_normal((2, 100_000))
    tape = layer.new_tape(*x.shape, dtype=x.dtype)
    tracemalloc.start()
    layer.forward(x, tape)
    layer.backward(x, tape)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4096 < tape.sum.nbytes


def arrays_in(thing):
    """Yield every array of a tape and of the tapes in it."""
    if isinstance(thing, np.ndarray):
        yield thing
    elif isinstance(thing, list | tuple):
        for each in thing:
            yield from arrays_in(each)
    elif type(thing).__name__.endswith(("Tape", "Scatter")):
        yield from arrays_in(list(vars(thing).values()))


@pytest.mark.parametrize("cell", STATES)
@pytest.mark.parametrize("V", [5, 3000])
def test_no_array_of_a_float32_tape_is_float64(cell, V):
    model = nr.CharRNN(V, 3, 4, cell=cell, rng=0)
    tokens, targets = np.random.default_rng(0).integers(0, V, (2, 6, 2))
    tape = model.new_tape(6, 2)
    model.loss_and_gradients(tokens, targets, tape=tape)
    log_softmax = nr.LogSoftmax(-1)
    log_softmax.forward(np.zeros((2, 3), np.float32))
    for array in arrays_in([tape, log_softmax.tape]):
        assert array.dtype != np.float64 or array.size == 0
