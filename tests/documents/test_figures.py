"""The figures and the table of docs/backprop.md, and what the page says about them."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given

import numpy_rnn as nr
from tests import strategies as some
from tests.documents import figures, measure, three_cells
from tests.documents.worked_example import PAGE as PATH

PAGE = PATH.read_text(encoding="utf-8")


def test_figures_are_drawn_by_the_commands_beside_them(tmp_path, monkeypatch):
    monkeypatch.setattr(three_cells, "STEPS", 5)  # of 1000, which take half a minute
    assert set(re.findall(r"\]\(figures/(\w+)\.png\)", PAGE)) == set(figures.FIGURES)
    for name in figures.FIGURES:
        assert f"(`python -m tests.documents.figures {name}`)" in PAGE
    pytest.importorskip("matplotlib")
    drawn = figures.draw([], tmp_path)
    assert sorted(path.name for path in drawn) == sorted(path.name for path in figures.FOLDER.glob("*.png"))
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)


def test_unknown_figure_is_named():
    with pytest.raises(SystemExit, match="no figure 'loss', expected some of biases, vanishing"):
        figures.draw(["loss"])


def test_table_of_the_models():
    # Not the last row: 1000 steps of training amplify differences in rounding.
    assert measure.row("tutorial, untrained", *measure.tutorial(0)) in PAGE
    assert measure.row("tutorial, after 100 epochs", *measure.tutorial(100)) in PAGE
    assert measure.row("recall, untrained", *measure.recall(0)) in PAGE


@given(rng=some.rngs, T=some.T, H=some.sizes)
def test_state_gradients_equal_dh_0_of_the_rest(rng, T, H):
    rnn = nr.RNN(2, H, dtype=np.float64, rng=rng)
    x, h_0, doutput = some.normal(rng, T, 3, 2), some.normal(rng, 1, 3, H), some.normal(rng, T, 3, H)
    output, _ = rnn.forward(x, h_0)
    dh = measure.state_gradients(rnn.weight_hh_l0.data, output, doutput)
    for t in range(T - 1):
        rnn.forward(x[t + 1 :], output[t][None])
        _, dh_0 = rnn.backward(doutput[t + 1 :])
        np.testing.assert_allclose(dh[t], doutput[t] + dh_0[0], rtol=1e-12, atol=1e-14)  # the same products
    np.testing.assert_array_equal(dh[-1], doutput[-1])


@given(rng=some.rngs, T=some.T, H=some.sizes)
def test_gradients_stay_below_their_bound(rng, T, H):
    rnn = nr.RNN(2, H, dtype=np.float64, rng=rng)
    h, _ = rnn.forward(some.normal(rng, T, 1, 2))
    doutput = np.zeros((T, 1, H))
    doutput[-1] = some.normal(rng, 1, H)
    norms = np.linalg.norm(measure.state_gradients(rnn.weight_hh_l0.data, h, doutput), axis=2)[:, 0]
    bound = (1 - h**2).max() * np.linalg.norm(rnn.weight_hh_l0.data, 2)
    assert (norms <= (1 + 1e-12) * norms[-1] * bound ** np.arange(T)[::-1]).all()  # rounding


@given(rng=some.rngs, T=some.T)
def test_both_truncations_agree_at_one_step_and_at_all(rng, T):
    model = nr.CharRNN(4, 2, 3, dtype=np.float64, rng=rng)
    case = model, some.tokens(rng, 4, T, 2), some.tokens(rng, 4, T, 2)
    each_loss, windows = measure.truncated(*case), measure.windows(*case)
    model.loss_and_gradients(*case[1:])
    np.testing.assert_allclose(windows[-1], model.rnn.weight_hh_l0.grad, rtol=1e-11, atol=1e-14)
    for k in (0, -1):
        np.testing.assert_allclose(each_loss[k], windows[k], rtol=1e-11, atol=1e-14)


@given(rng=some.rngs, T=some.T, rest=some.T)
def test_handing_dh_0_back_undoes_detaching(rng, T, rest):
    model = nr.CharRNN(4, 2, 3, dtype=np.float64, rng=rng)
    tokens, dlogits = some.tokens(rng, 4, T + rest, 2), some.normal(rng, T + rest, 2, 4)
    model.forward(tokens)
    whole_dh_0 = model.backward(dlogits)
    whole = model.parameters().grad.copy()
    _, h_n = model.forward(tokens[:T])
    before = model.tape
    model.forward(tokens[T:], h_n)
    dh_n = model.backward(dlogits[T:])
    windows = model.parameters().grad.copy()
    dh_0 = model.backward(dlogits[:T], dh_n, tape=before)
    windows += model.parameters().grad
    np.testing.assert_allclose(windows, whole, rtol=1e-11, atol=1e-13)  # sums in another order
    np.testing.assert_allclose(dh_0, whole_dh_0, rtol=1e-11, atol=1e-13)


@given(rng=some.rngs, T=some.T, rest=some.T)
def test_detached_is_the_gradient_of_two_windows(rng, T, rest):
    model = nr.CharRNN(4, 2, 3, dtype=np.float64, rng=rng)
    tokens, targets = some.tokens(rng, 4, T + rest, 2), some.tokens(rng, 4, T + rest, 2)
    full, parts = measure.detached(model, tokens, targets, cut=T)
    first = nr.trace(model, tokens[:T], targets[:T])
    second = nr.trace(model, tokens[T:], targets[T:], first.h[-1:])
    dh = np.concatenate([first.dh * T, second.dh * rest]) / (T + rest)  # each has the mean over its own steps
    np.testing.assert_allclose(parts, np.linalg.norm(dh, axis=(1, 2)), rtol=1e-11, atol=1e-14)
    np.testing.assert_array_equal(full[T:], parts[T:])
    assert (full[:T] != parts[:T]).all()


def test_biases_keep_their_difference():
    path = measure.bias_paths(epochs=20)
    assert np.ptp(path[:, 0], axis=0).min() > 0.01
    difference = path[:, 0] - path[:, 1]
    np.testing.assert_allclose(difference, np.broadcast_to(difference[0], difference.shape), rtol=0, atol=1e-15)
    losses, (d_ih, d_hh) = measure.loss_over_two_biases(np.array([0.0, 0.3]), np.array([0.0, 0.3]))
    assert d_ih == d_hh != 0
    assert losses[0, 1] == pytest.approx(losses[1, 0], rel=1e-14)
    assert losses[0, 0] != losses[1, 1]


def test_clipping_keeps_the_direction():
    for before, after in measure.clipped_arrows(max_norm=1.0):
        assert after @ before == pytest.approx(np.linalg.norm(after) * np.linalg.norm(before), rel=1e-14)
        # 1e-6 in the denominator
        assert np.linalg.norm(after) == pytest.approx(min(1, np.linalg.norm(before)), rel=1e-5)


def test_gradients_vanish_below_and_explode_above_a_radius_of_one():
    below, at, above = (np.median(measure.random_reach(radius), axis=0) for radius in (0.7, 1.0, 2.0))
    assert below[-1] < 1e-5
    assert 1e-2 < at[-1] < 1
    assert 10 < above[-1] < 2.0**39 / 1e6


def test_gates_let_more_of_the_gradient_arrive(monkeypatch):
    monkeypatch.setattr(three_cells, "STEPS", 0)
    reach = {name: three_cells.before_and_after(30, *cell)[0] for name, cell in three_cells.CELLS.items()}
    rnn, gru, closed, opened = reach.values()
    assert rnn.h[:, -1].max() < 1e-7
    for gated in (gru.h, closed.c, opened.c):
        assert gated[:, -1].min() > 1e-6
    assert (opened.c[:, -1] > 10 * closed.c[:, -1]).all()  # for each seed
    assert (opened.h[:, -1] > 10 * closed.h[:, -1]).all()


def test_the_table_of_the_cells_before_training(monkeypatch):
    monkeypatch.setattr(three_cells, "STEPS", 0)
    for dashes, name in itertools.product((8, 30), three_cells.CELLS):
        before, _ = three_cells.before_and_after(dashes, *three_cells.CELLS[name])
        (line,) = re.findall(rf"\| {dashes} \| {name} \| (.*) \|", PAGE)
        h, _, c, _, _ = map(str.strip, line.split("|"))
        assert h == f"{np.median(before.h[:, -1]):.2g}"
        assert c == ("" if before.c is None else f"{np.median(before.c[:, -1]):.2g}")


def test_recall_reaches_back_and_the_tutorial_does_not():
    assert measure.reach(*measure.recall(0))[-1] < 0.02
    assert measure.reach(*measure.recall(1000))[-1] > 0.05
    assert measure.reach(*measure.tutorial(100))[8] < measure.reach(*measure.tutorial(0))[8] < 0.01
