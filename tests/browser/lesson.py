"""A training whose page is looked at, and the arrays that the page must show."""

import numpy_rnn as nr
from numpy_rnn.explorer import train_snapshots
from numpy_rnn.text.vocabulary import visible
from numpy_rnn.text.windows import inputs_and_targets


class Lesson:
    """A model trained on a text, its trace at each stage, and how the page writes the characters."""

    def __init__(self, text, embedding_dim, hidden_size, epochs):
        self.text, self.vocabulary = text, nr.Vocabulary.from_text(text)
        model = nr.CharRNN(len(self.vocabulary), embedding_dim, hidden_size, rng=0)
        self.models = train_snapshots(model, self.vocabulary, text, epochs=epochs)
        self.epochs = list(self.models)
        tokens, targets = inputs_and_targets(self.vocabulary, text)
        self.tokens, self.targets = tokens[:, 0], targets[:, 0]
        self.traces = [nr.trace(model, tokens, targets) for model in self.models.values()]
        self.reads = [visible(character) for character in text[:-1]]
        self.follows = [visible(character) for character in text[1:]]
        self.characters = [visible(character) for character in self.vocabulary.characters]
        self.T, self.E, self.H, self.V = len(tokens), embedding_dim, hidden_size, len(self.vocabulary)

    def write(self, folder, epochs=None):
        """Write the page, of these epochs only if they are given, and return its path."""
        models = {epoch: self.models[epoch] for epoch in epochs or self.epochs}
        path = folder / "explorer.html"
        path.write_bytes(nr.explain(models, self.vocabulary, self.text).encode())
        return path

    def moments(self, rng):
        """Stages of training and steps, the first and the last of both among them: (k, trace, t)."""
        some = int(rng.integers(1, len(self.epochs) - 1)), int(rng.integers(1, self.T - 1))
        for k, t in ((0, self.T - 1), some, (len(self.epochs) - 1, 0)):
            yield k, self.traces[k], t

    def place(self, size, i):
        """What the page calls place i of a vector: the character, if it is over the vocabulary, as its size tells."""
        return f"‘{self.characters[i]}’" if size == self.V else i
