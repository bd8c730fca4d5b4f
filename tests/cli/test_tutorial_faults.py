"""The four faults of the usual char-RNN tutorial, each shown on real PyTorch beside its cure (docs/tutorial.md)."""

import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
nn = torch.nn

TEXT = "Hello, how are you?"
CHARACTERS = sorted(set(TEXT))
V, H = len(CHARACTERS), 8
DATA = torch.tensor([CHARACTERS.index(c) for c in TEXT])


@pytest.fixture
def layers():
    torch.manual_seed(0)
    return nn.Embedding(V, H), nn.RNN(H, H), nn.Linear(H, V)


def numbering(expression, seed):
    code = f"print({{c: i for i, c in enumerate({expression})}})"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout


def test_a_set_numbers_the_characters_anew_in_every_process():
    assert numbering(f"list(set({TEXT!r}))", "1") != numbering(f"list(set({TEXT!r}))", "2")
    assert numbering(f"sorted(set({TEXT!r}))", "1") == numbering(f"sorted(set({TEXT!r}))", "2")


def test_a_leading_batch_dimension_is_read_as_time(layers):
    embedding, rnn, _ = layers

    def last_output(data, dimension):
        output, h_n = rnn(embedding(data.unsqueeze(dimension)))
        return output.flatten(0, 1)[-1], h_n.shape

    other = DATA.clone()
    other[0] = DATA[1]  # another first character
    before, shape = last_output(DATA, 0)
    after, _ = last_output(other, 0)
    assert shape == (1, len(DATA), H)  # len(DATA) sequences of one step each
    assert torch.equal(before, after)  # the last character never hears of the first

    before, shape = last_output(DATA, 1)
    after, _ = last_output(other, 1)
    assert shape == (1, 1, H)
    assert not torch.equal(before, after)


def train_two_epochs(layers, carry):
    embedding, rnn, fc = layers
    hidden = None
    for _ in range(2):
        output, hidden = rnn(embedding(DATA[:-1].unsqueeze(1)), hidden)
        nn.functional.cross_entropy(fc(output).squeeze(1), DATA[1:]).backward()
        hidden = carry(hidden)


def test_a_carried_state_takes_its_graph_along(layers):
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        train_two_epochs(layers, carry=lambda hidden: hidden)
    train_two_epochs(layers, carry=lambda hidden: hidden.detach())
    train_two_epochs(layers, carry=lambda hidden: None)


def test_one_prediction_squeezed_has_no_dimension_one(layers):
    embedding, rnn, fc = layers
    output, _ = rnn(embedding(DATA[0].unsqueeze(0)))
    logits = fc(output)
    assert logits.shape == (1, V)
    with pytest.raises(IndexError, match="Dimension out of range"):
        torch.max(logits.squeeze(), dim=1)
    assert torch.max(logits.squeeze(), dim=0).indices == logits.argmax(dim=1)
