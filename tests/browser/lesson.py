"""A model whose page is tested, its training in Python, and the traces that the page must show."""

import numpy as np

import numpy_rnn as nr
from numpy_rnn import textbook
from numpy_rnn.display.terminal import visible
from numpy_rnn.text.windows import inputs_and_targets


class Lesson:
    """Initial weights for a text, and `textbook.py`'s training from there: losses, and a trace after each epoch."""

    def __init__(self, text, embedding_dim, hidden_size, epochs):
        self.text, self.vocabulary = text, nr.Vocabulary.from_text(text)
        self.model = nr.CharRNN(len(self.vocabulary), embedding_dim, hidden_size, dtype=np.float64, rng=0)
        self.tokens_, self.targets_ = inputs_and_targets(self.vocabulary, text)
        self.tokens, self.targets = self.tokens_[:, 0], self.targets_[:, 0]
        self.epochs = epochs
        self.signs = [visible(character) for character in self.vocabulary.characters]
        self.T, self.E, self.H, self.V = len(self.tokens), embedding_dim, hidden_size, len(self.vocabulary)
        self.losses, self.weights = self._train()

    def _train(self):
        p = {name: value.copy() for name, value in self.model.state_dict().items()}
        m, v = ({name: np.zeros_like(value) for name, value in p.items()} for _ in range(2))
        zeros, losses, weights = np.zeros((1, self.H)), [], [dict(p)]
        for k in range(1, self.epochs + 1):
            logits, x, h = textbook.forward(p, self.tokens_, zeros)
            loss, dlogits = textbook.cross_entropy(logits, self.targets_)
            g, _ = textbook.backward(p, self.tokens_, x, h, dlogits, zeros)
            p = {name: value.copy() for name, value in p.items()}
            textbook.adam(p, g, m, v, k)
            losses.append(loss)
            weights.append(dict(p))
        return losses, weights

    def moments(self, rng):
        """Yield some epochs and steps, including the first and the last of each."""
        some = int(rng.integers(1, self.epochs)), int(rng.integers(1, self.T - 1))
        yield from ((0, self.T - 1), some, (self.epochs, 0))

    def place(self, size, i):
        """Return what the page calls element i of a vector: a character if the vector has the vocabulary's size."""
        return f"‘{self.signs[i]}’" if size == self.V else i

    def trace(self, epoch):
        """Return the trace after some epochs."""
        model = nr.CharRNN(self.V, self.E, self.H, dtype=np.float64)
        model.load_state_dict(self.weights[epoch])
        return nr.trace(model, self.tokens_, self.targets_)

    def write(self, folder):
        path = folder / "explorer.html"
        path.write_bytes(nr.explain(self.model, self.vocabulary, self.text, seed=0, epochs=self.epochs).encode())
        return path
