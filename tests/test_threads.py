"""Threads that share a layer get right results or an error, never wrong numbers."""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import numpy_rnn as nr

V, T, B = 50, 40, 16


class Slow(nr.CharRNN):
    """A model that stops in the middle of a step until it is told to go on."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.inside, self.go_on = threading.Event(), threading.Event()

    def _forward(self, tape):
        super()._forward(tape)
        self.inside.set()
        assert self.go_on.wait(10)


@pytest.mark.parametrize("own_tapes", [False, True])
def test_a_second_step_at_the_same_time_is_refused(own_tapes):
    """Its gradients would be written to the same array."""
    model = Slow(V, 8, 8, rng=0)
    first, second = np.random.default_rng(0).integers(0, V, (2, T, B))
    tapes = [model.new_tape(T, B) if own_tapes else None for _ in range(2)]
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(model.loss_and_gradients, first, first, None, tapes[0])
        assert model.inside.wait(10)
        with pytest.raises(RuntimeError, match=r"Slow\.loss_and_gradients is running in another thread"):
            model.loss_and_gradients(second, second, None, tapes[1])
        model.go_on.set()
        loss, _ = running.result()
    gradient = model.parameters().grad.copy()
    fresh = nr.CharRNN(V, 8, 8, rng=0)
    assert loss == fresh.loss_and_gradients(first, first)[0]
    np.testing.assert_array_equal(gradient, fresh.parameters().grad)
    model.loss_and_gradients(second, second)  # the refusal is over


def test_an_error_in_a_step_does_not_block_the_next():
    model = nr.CharRNN(V, rng=0)
    with pytest.raises(IndexError):
        model.loss_and_gradients([[V]], [[0]])
    model.loss_and_gradients([[0]], [[0]])


def test_losses_in_many_threads_are_right_or_refused():
    model = nr.CharRNN(V, 64, 128, rng=0)
    texts = np.random.default_rng(0).integers(0, V, (4, T, B))
    expected = [model.loss_and_gradients(text, text)[0] for text in texts]

    def losses(k):
        found = []
        for _ in range(20):
            try:
                found.append(model.loss_and_gradients(texts[k], texts[k])[0])
            except RuntimeError as error:
                if "another thread" not in str(error):
                    raise
        return found

    with ThreadPoolExecutor(4) as pool:
        for k, found in enumerate(pool.map(losses, range(4))):
            assert all(loss == expected[k] for loss in found)


def test_copies_of_a_model_train_side_by_side():
    model, text = nr.CharRNN(V, 16, 16, rng=0), np.random.default_rng(0).integers(0, V, (T, B))
    expected = model.loss_and_gradients(text, text)[0]
    with ThreadPoolExecutor(2) as pool:
        steps = [pool.submit(copy.deepcopy(model).loss_and_gradients, text, text) for _ in range(6)]
    assert [step.result()[0] for step in steps] == [expected] * 6


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (nr.Linear(3, 2, rng=0), np.ones((4, 3))),
        (nr.Embedding(3, 2, rng=0), np.array([0, 1])),
        (nr.GRU(3, 2, rng=0), np.ones((4, 1, 3))),
        (nr.LogSoftmax(-1), np.ones((2, 3))),
        (nr.CharRNN(3, rng=0), np.zeros((4, 1), int)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_backward_does_not_use_the_tape_of_another_thread(layer, x):
    y = layer.forward(x)
    dy = np.ones_like(y[0] if isinstance(y, tuple) else y)
    mine, other = layer.tape, threading.Thread(target=layer.forward, args=(x * 0,))
    other.start()
    other.join()
    with pytest.raises(
        RuntimeError, match="the most recent forward pass was in another thread: pass backward its tape"
    ):
        layer.backward(dy)
    layer.backward(dy, tape=mine)
    layer.forward(x)
    layer.backward(dy)
