"""The tutorial's training agrees with PyTorch in every number, and a difference would be found and named."""

import numpy as np
import pytest
import torch

import numpy_rnn as nr
import torch_reference
from numpy_rnn.cli.arguments import TUTORIAL_TEXT
from numpy_rnn.layers.recurrence import Recurrence
from numpy_rnn.text.windows import inputs_and_targets
from numpy_rnn.training.tutorial import train_epochs

VOCABULARY = nr.Vocabulary.from_text(TUTORIAL_TEXT)
TOKENS, TARGETS = inputs_and_targets(VOCABULARY, TUTORIAL_TEXT)


def make_model(dtype=np.float64, seed=0, cell="rnn"):
    return nr.CharRNN(len(VOCABULARY), cell=cell, dtype=dtype, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize(("seed", "carry_hidden"), [(0, False), (1, True)])
def test_a_hundred_epochs_equal_torch(cell, seed, carry_hidden):
    model = make_model(seed=seed, cell=cell)
    mirror = torch_reference.make_mirror(model)
    result = torch_reference.parity(
        model, TOKENS, TARGETS, epochs=100, carry_hidden=carry_hidden, mirror=mirror, tolerance=1e-10
    )
    assert result.ok, result
    assert len(result.steps) == 100
    for step in result.steps:
        assert abs(step.numpy_loss - step.torch_loss) <= 1e-10 * step.torch_loss
    assert nr.generate(model, VOCABULARY, "H", len(TUTORIAL_TEXT)) == TUTORIAL_TEXT
    assert torch_reference.generate(mirror, VOCABULARY, "H", len(TUTORIAL_TEXT)) == TUTORIAL_TEXT


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("V", [9, 1200])  # fewer characters than tokens, and more
@pytest.mark.parametrize("carry_hidden", [False, True])
def test_batches_equal_torch_step_by_step(cell, V, carry_hidden):
    rng = np.random.default_rng(0)
    tokens, targets = rng.integers(0, V, (2, 6, 3))
    model = nr.CharRNN(V, 5, 8, cell=cell, dtype=np.float64, rng=rng)
    result = torch_reference.parity(model, tokens, targets, epochs=10, carry_hidden=carry_hidden, tolerance=1e-10)
    assert result.ok, result


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_layers_equal_torch_step_by_step_and_dropout_must_be_off(cell):
    rng = np.random.default_rng(0)
    tokens, targets = rng.integers(0, 9, (2, 6, 3))
    model = nr.CharRNN(9, 5, 8, 3, dropout=0.5, cell=cell, dtype=np.float64, rng=rng)
    with pytest.raises(ValueError, match=r"model has dropout, .* call model\.eval"):
        torch_reference.parity(model, tokens, targets, epochs=30)
    result = torch_reference.parity(model.eval(), tokens, targets, epochs=10, carry_hidden=True, tolerance=1e-10)
    assert result.ok, result


@pytest.mark.parametrize(("cell", "carry_hidden"), [("rnn", False), ("rnn", True), ("lstm", True), ("gru", True)])
def test_the_training_loops_and_the_comparison_agree(cell, carry_hidden):
    options = {"epochs": 20, "lr": 0.01, "carry_hidden": carry_hidden}
    model, again, compared = (make_model(cell=cell) for _ in range(3))
    ours = list(train_epochs(model, VOCABULARY, TUTORIAL_TEXT, **options))
    tokens, targets, mirror = torch.tensor(TOKENS), torch.tensor(TARGETS), torch_reference.make_mirror(again)
    theirs = list(torch_reference.train_epochs(mirror, tokens, targets, **options))
    compared = torch_reference.parity(compared, TOKENS, TARGETS, **options).steps
    assert len(ours) == 20
    for losses in (theirs, [step.numpy_loss for step in compared], [step.torch_loss for step in compared]):
        np.testing.assert_allclose(losses, ours, rtol=1e-10)


def test_carrying_the_state_changes_every_step_but_the_first():
    losses = np.array(
        [
            list(train_epochs(make_model(), VOCABULARY, TUTORIAL_TEXT, epochs=3, carry_hidden=carry_hidden))
            for carry_hidden in (False, True)
        ]
    )
    assert ((losses[0] != losses[1]) == [False, True, True]).all()


def test_the_text_is_memorised_in_float32_too():
    model = make_model(np.float32)
    assert all(np.isfinite(list(train_epochs(model, VOCABULARY, TUTORIAL_TEXT, epochs=100))))
    assert nr.generate(model, VOCABULARY, "H", len(TUTORIAL_TEXT)) == TUTORIAL_TEXT


def parting(**options):
    result = torch_reference.parity(make_model(), TOKENS, TARGETS, epochs=3, **options)
    assert not result.ok
    number, name, difference = result.first_parting
    assert not difference <= result.tolerance
    assert f"parted at step {number}: relative difference of {name} is" in str(result)
    return number, name


def test_different_weights_part_in_the_logits():
    mirror = torch_reference.make_mirror(make_model())
    with torch.no_grad():
        mirror.fc.bias[3] += 1e-6
    assert parting(mirror=mirror) == (1, "logits")


def test_a_wrong_gradient_is_named(monkeypatch):
    right = Recurrence.backward_project

    def wrong(recurrence, *arguments):
        right(recurrence, *arguments)
        recurrence.bias_hh.grad *= 1 + 1e-6

    monkeypatch.setattr(Recurrence, "backward_project", wrong)
    assert parting() == (1, "grad rnn.bias_hh_l0")


def test_a_wrong_cell_state_is_named():
    model = make_model(cell="lstm")
    last = model.rnn.as_state
    model.rnn.as_state = lambda states: last([states[0], states[1] * (1 + 1e-6)])
    result = torch_reference.parity(model, TOKENS, TARGETS, epochs=1)
    assert result.first_parting[:2] == (1, "c_n")


def test_a_wrong_adam_is_named(monkeypatch):
    right = nr.Adam
    monkeypatch.setattr(nr, "Adam", lambda parameters, lr: right(parameters, lr, betas=(0.9, 0.9989)))
    assert parting() == (1, "exp_avg_sq embedding.weight")
    monkeypatch.setattr(nr, "Adam", lambda parameters, lr: right(parameters, lr, eps=1e-6))
    assert parting() == (1, "embedding.weight")


def test_a_fault_from_the_second_step_on_is_placed_there(monkeypatch):
    class Wrong(nr.Adam):
        def step(self):
            self.step_count -= self.step_count > 0  # stays at one: the bias correction never fades
            super().step()

    monkeypatch.setattr(nr, "Adam", Wrong)
    assert parting() == (2, "embedding.weight")


def test_nan_counts_as_a_difference():
    mirror = torch_reference.make_mirror(make_model())
    with torch.no_grad():
        mirror.rnn.bias_hh_l0[0] = torch.nan
    assert parting(mirror=mirror) == (1, "logits")


def test_a_mirror_of_zeros_parts_infinitely():
    mirror = torch_reference.make_mirror(make_model())
    with torch.no_grad():
        for p in mirror.parameters():
            p.zero_()
    assert parting(mirror=mirror) == (1, "logits")


def test_a_mirror_of_another_size_is_named():
    mirror = torch_reference.CharRNN(len(VOCABULARY), hidden_size=5, dtype=torch.float64)
    with pytest.raises(
        ValueError, match=r"mirror has a tensor of shape \(1, 1, 5\) where the model has \(1, 1, 32\)"
    ):
        torch_reference.parity(make_model(), TOKENS, TARGETS, epochs=1, mirror=mirror)
    with pytest.raises(ValueError, match="epochs must be at least 1, got 0"):
        torch_reference.parity(make_model(), TOKENS, TARGETS, epochs=0)


def test_the_largest_difference_is_printed():
    result = torch_reference.parity(make_model(), TOKENS, TARGETS, epochs=3)
    assert result.ok
    assert "3 steps agree: largest relative difference" in str(result)


def test_a_loss_that_is_not_finite_stops_both_trainings():
    losses = []
    training = train_epochs(make_model(np.float32), VOCABULARY, TUTORIAL_TEXT, epochs=9, lr=1e38)
    with pytest.raises(FloatingPointError, match=r"the loss is (nan|inf) at epoch \d+: training stopped"):
        losses.extend(training)
    assert losses
    assert all(np.isfinite(losses))
    model = make_model()
    model.parameters().data[0] = np.nan
    with pytest.raises(FloatingPointError, match="the loss is nan at epoch 1"):
        torch_reference.parity(model, TOKENS, TARGETS, epochs=2)
    with pytest.raises(FloatingPointError, match="the loss is nan at epoch 1"):
        list(train_epochs(model, VOCABULARY, TUTORIAL_TEXT, epochs=2))
