"""CharRNN(..., tie_weights=True): one tensor, used as the embedding and as fc.weight."""

import copy
import pickle

import numpy as np
import pytest

import numpy_rnn as nr
from numpy_rnn.storage.model_file import load_model
from tests.optional import torch, torch_reference

T, B, E = 6, 3, 5
WIDE = 40  # more characters than tokens


def make(V=7, tie_weights=True, **options):
    return nr.CharRNN(V, E, E, tie_weights=tie_weights, dtype=np.float64, rng=0, **options)


def draw(V=7):
    return np.random.default_rng(0).integers(0, V, (2, T, B))


@pytest.mark.parametrize("V", [7, WIDE])
@pytest.mark.parametrize("options", [{}, {"cell": "lstm"}, {"cell": "gru"}, {"num_layers": 2}], ids=str)
def test_training_equals_torch(V, options):
    parity = torch_reference.parity(make(V, **options), *draw(V), epochs=20, tolerance=1e-10)
    assert parity.ok, parity.first_parting


@pytest.mark.parametrize("V", [7, WIDE])
def test_the_gradient_is_that_of_both_uses(V):
    """Compare with torch as its users tie weights."""
    model, (tokens, targets) = make(V), draw(V)
    mirror = torch_reference.CharRNN(V, E, E, dtype=torch.float64)
    mirror.load_state_dict(model.state_dict())
    mirror.fc.weight = mirror.embedding.weight
    logits, _ = mirror(torch.tensor(tokens))
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.tensor(targets).flatten()).backward()
    theirs = mirror.embedding.weight.grad.numpy()
    model.loss_and_gradients(tokens, targets)
    by_step = model.parameters().grad.copy()
    np.testing.assert_allclose(model.fc.weight.grad, theirs, rtol=1e-10, atol=1e-12)
    model.parameters().grad = 7
    logits, _ = model.forward(tokens)
    criterion = nr.CrossEntropyLoss()
    criterion.forward(logits.reshape(-1, V), targets.reshape(-1))
    model.backward(criterion.backward().reshape(logits.shape))
    np.testing.assert_allclose(model.parameters().grad, by_step, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("V", [7, WIDE])
def test_gradcheck(V):
    tokens, targets = draw(V)
    model = make(V)
    nr.assert_gradients(model, tokens)
    model.loss_and_gradients(tokens, targets)  # a model that has been used can be checked too
    nr.assert_gradients(model, tokens)


def test_the_tensor_is_counted_once_and_has_both_names():
    model, separate = make(), make(tie_weights=False)
    assert model.fc.weight is model.embedding.weight is model.parameters()["fc.weight"]
    assert "fc.weight" not in list(model.parameters())
    assert model.parameters().data.size == separate.parameters().data.size - 7 * E
    state = model.state_dict()
    assert list(state) == list(separate.state_dict())
    assert state["fc.weight"] is state["embedding.weight"]
    assert list(model.fc.state_dict()) == ["weight", "bias"]
    assert np.shares_memory(model.fc.bias.data, model.parameters().data)
    model.loss_and_gradients(*draw())
    expected = np.sqrt(sum((p.grad**2).sum() for p in model.parameters().values()))
    assert nr.clip_grad_norm_(model.parameters(), 1.0) == pytest.approx(expected, rel=1e-12)


def test_a_state_dict_loads_into_and_from_torch():
    model = make()
    mirror = torch_reference.make_mirror(model)
    assert mirror.fc.weight is mirror.embedding.weight
    other = nr.CharRNN(7, E, E, tie_weights=True, dtype=np.float64, rng=1)
    other.load_state_dict(mirror.state_dict())
    tokens, targets = draw()
    assert other.loss_and_gradients(tokens, targets)[0] == model.loss_and_gradients(tokens, targets)[0]


def test_a_state_dict_with_two_different_weights_is_refused():
    model, before = make(), make().parameters().data
    with pytest.raises(ValueError, match=r"embedding\.weight and fc\.weight have different values, but are tied"):
        model.load_state_dict(make(tie_weights=False).state_dict())
    np.testing.assert_array_equal(model.parameters().data, before)
    with pytest.raises(KeyError, match=r"missing \['fc\.weight'\]"):
        model.load_state_dict({name: p.data for name, p in model.parameters().items()})


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_is_tied_within_itself_alone(duplicate):
    model, (tokens, targets) = make(), draw()
    twin, before = duplicate(model), model.parameters().data.copy()
    assert twin.fc.weight is twin.embedding.weight is not model.fc.weight
    first, _ = twin.loss_and_gradients(tokens, targets)
    nr.Adam(twin.parameters(), lr=0.01).step()
    assert twin.loss_and_gradients(tokens, targets)[0] < first
    np.testing.assert_array_equal(model.parameters().data, before)


def test_a_trained_model_is_saved_and_resumed(tmp_path):
    model = nr.CharRNN(4, E, E, tie_weights=True, rng=0)
    options = {"steps": 8, "seq_len": 5, "batch_size": 2}
    for progress in nr.train(model, "abcd" * 50, run=tmp_path / "run", **options):
        if progress.step == 4:
            break
    whole, resumed = (nr.CharRNN(4, E, E, tie_weights=True, rng=0) for _ in range(2))
    list(nr.train(resumed, "abcd" * 50, run=tmp_path / "run", resume=True))
    list(nr.train(whole, "abcd" * 50, **options))
    np.testing.assert_array_equal(resumed.parameters().data, whole.parameters().data)
    loaded, *_ = load_model(tmp_path / "run")
    assert loaded.tie_weights
    assert loaded.fc.weight is loaded.embedding.weight
    assert set(np.load(tmp_path / "run" / "last.npz")) >= {"model.embedding.weight"}
    assert "model.fc.weight" not in np.load(tmp_path / "run" / "last.npz")


def test_the_sizes_must_agree():
    with pytest.raises(ValueError, match="tie_weights needs embedding_dim = hidden_size, got 4 and 5"):
        nr.CharRNN(7, 4, 5, tie_weights=True)


def test_the_layers_alone_do_not_assign_half_a_gradient():
    model = make()
    model.embedding.forward([0, 1])
    model.fc.forward(np.ones((2, E)))
    for call in (lambda: model.embedding.backward(np.ones((2, E))), lambda: model.fc.backward(np.ones((2, 7)))):
        with pytest.raises(RuntimeError, match="weight is tied: call backward of the model"):
            call()


def test_a_trace_has_the_parts_of_both_uses():
    model, (tokens, targets) = make(), draw()
    contributions = nr.trace(model, tokens, targets).contributions
    model.loss_and_gradients(tokens, targets)
    both = contributions["embedding.weight"].sum(axis=0) + contributions["fc.weight"].sum(axis=0)
    np.testing.assert_allclose(both, model.embedding.weight.grad, rtol=1e-10, atol=1e-14)


def test_the_page_refuses_it():
    vocabulary = nr.Vocabulary("abcdefg")
    with pytest.raises(ValueError, match="model has tie_weights=True, expected False"):
        nr.explain(make(), vocabulary, "abc")
