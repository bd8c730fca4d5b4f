"""The course itself: stubs fail with the intended message, solutions pass, and usual slips get their explanation."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from numpy_rnn import textbook, textbook_lstm
from numpy_rnn.learn import judge as judging
from numpy_rnn.learn.course import course, write_course
from numpy_rnn.learn.exercises import (
    ex02_bias_and_batch,
    ex04_cross_entropy,
    ex05_embedding,
    ex07_through_time,
    ex10_adam,
    ex11_put_together,
    ex14_lstm_through_time,
)
from numpy_rnn.learn.judge import judge

COURSE = course()
BACKPROP = (Path(__file__).parents[2] / "docs" / "backprop.md").read_text(encoding="utf-8")
each_exercise = pytest.mark.parametrize("exercise", COURSE, ids=lambda exercise: exercise.name)


def slip(exercise, number, folder):
    old, new, words = exercise.module.SLIPS[number]
    assert old in exercise.solution()
    (folder / exercise.filename).write_text(exercise.solution().replace(old, new))
    return judge(folder, exercise), words


def test_there_are_fourteen_in_order():
    assert [exercise.number for exercise in COURSE] == list(range(1, 15))
    assert all(exercise.title.startswith(f"Exercise {exercise.number}. ") for exercise in COURSE)


@each_exercise
def test_solution_passes(exercise, solved):
    verdict = judge(solved, exercise)
    assert (verdict.ok, verdict.problem) == (True, "")


@each_exercise
def test_stub_fails_with_the_intended_message(exercise, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    write_course(tmp_path)
    verdict = judge(tmp_path, exercise)
    assert not verdict.ok
    if exercise.number == 12:  # starts from functions that are wrong
        assert verdict.function == "softmax_loss_backward"
        assert verdict.problem == "softmax_loss_backward changes its argument cache: work on a copy"
        assert "p copies nothing" in verdict.explanation
        assert set(verdict.right) >= {"softmax_loss", "states", "tied", "relu_layer"}
    else:
        line = next(n for n, text in enumerate(exercise.stub().splitlines(), 1) if "NotImplementedError" in text)
        assert verdict.problem == f"not written yet: replace line {line} of {exercise.filename} with your code"
        assert verdict.explanation == ""
    assert len(exercise.hints(verdict.function)) == 3


@each_exercise
def test_the_stub_has_no_answer(exercise):
    stub = exercise.stub()
    assert not re.search(r"# (answer|hint|stub|end|check)|SLIPS|def cases|numpy_rnn", stub)
    for answer in (exercise.hints(name)[-1] for name in re.findall(r"def (\w+)", stub) if exercise.hints(name)):
        assert not any(line in stub for line in re.findall(r"\w+ = .*  # \(\w+\)", answer))


@each_exercise
def test_labels_and_links_lead_to_backprop(exercise):
    links = re.findall(r"docs/backprop\.md#([\w-]+)", exercise.question)
    headings = {
        re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in re.findall(r"(?m)^#+ +(.*?) *$", BACKPROP)
    }
    assert set(links) <= headings
    assert links or exercise.number == 12
    labels = set(re.findall(r"\(([A-Z]+\d+)\)", exercise.source))
    assert labels
    assert labels <= set(re.findall(r"</a>\((\w+)\)", BACKPROP))


@each_exercise
def test_usual_slips_are_explained(exercise, solved, monkeypatch):
    monkeypatch.setattr(judging.Trial, "suspect", lambda *_: "")  # takes most of the time, and has a test of its own
    assert len(exercise.module.SLIPS) >= 4
    for number in range(len(exercise.module.SLIPS)):
        verdict, words = slip(exercise, number, solved)
        assert not verdict.ok
        assert verdict.explanation == words
        assert verdict.function
        assert verdict.problem


# Exercise: numbers of slips whose line gradcheck must name. Nothing is differentiated in exercises 8 to 10.
NAMED = {1: (2, 3), 2: (0, 3), 3: (0, 4), 4: (0, 1), 5: (0, 4), 6: (0, 3), 7: (0, 8), 12: (1,), 13: (0,), 14: (0,)}


@pytest.mark.parametrize("number", NAMED)
def test_the_line_is_named(number, solved):
    exercise = COURSE[number - 1]
    for chosen in NAMED[number]:
        verdict, words = slip(exercise, chosen, solved)
        changed = (solved / exercise.filename).read_text().splitlines()
        right = exercise.solution().splitlines()
        (line,) = (n for n, (a, b) in enumerate(zip(changed, right, strict=True), 1) if a != b)
        assert verdict.explanation.startswith(f"suspect: line {line} of ")
        assert verdict.explanation.endswith(words)


RIGHT = [
    (1, "np.outer(dy, x)", "dy[:, None] * x"),
    (1, "return dx, dW", "return [dx, dW]"),
    (2, "dy.T @ x", "np.einsum('no,ni->oi', dy, x)"),
    (3, "dh * (1 - h**2)", "dh / np.cosh(x @ W.T + np.arctanh(h) - x @ W.T) ** 2"),
    (4, "-np.log(p[np.arange(N), targets]).mean()", "float(np.log(e.sum(1) / e[np.arange(N), targets]).sum() / N)"),
    (5, "np.add.at(dC, tokens, dx)", "for i in np.ndindex(tokens.shape): dC[tokens[i]] += dx[i]"),
    (6, "np.tanh(z)", "1 - 2 / (np.exp(2 * z) + 1)"),
    (7, "dh_next = dz @ W_hh", "dh_next = np.linalg.solve(np.eye(len(W_hh)), (dz @ W_hh).T).T"),
    (8, "h = output[window][-1]", "h = cache[1][-1]"),
    (9, " + 1e-6)", " + 1e-30)"),
    (10, "lr * m_hat / (np.sqrt(v_hat) + eps)", "lr / (np.sqrt(v_hat) + eps) * m / (1 - beta1**k)"),
    (13, "np.concatenate([dz_i, dz_f, dz_g, dz_o], axis=1)", "np.hstack((dz_i, dz_f, dz_g, dz_o))"),
]


@pytest.mark.parametrize(("number", "old", "new"), RIGHT)
def test_another_style_is_right(number, old, new, solved):
    exercise = COURSE[number - 1]
    assert old in exercise.solution()
    (solved / exercise.filename).write_text(exercise.solution().replace(old, new))
    verdict = judge(solved, exercise)
    assert (verdict.ok, verdict.problem) == (True, "")


def test_no_line_of_a_finished_exercise_is_named(solved):
    verdict, words = slip(COURSE[13], 1, solved)  # dc_next is not handed to lstm_step_backward, of exercise 13
    assert "ex13" not in verdict.explanation
    assert verdict.explanation.endswith(words)


def test_what_a_student_prints_is_printed_once_for_each_case(solved, capsys):
    exercise = COURSE[0]
    wrong = "print('look'); dW = 2 * np.outer(dy, x)"
    (solved / exercise.filename).write_text(exercise.solution().replace("dW = np.outer(dy, x)", wrong))
    assert "suspect" in judge(solved, exercise).explanation
    assert capsys.readouterr().out == 4 * "look\n"


def test_a_usual_slip_is_recognised_in_any_style(solved):
    own = """    x, h, W_ih, W_hh = cache
    back, gradients = 0, [np.zeros(x.shape)] + [0, 0, 0, 0]
    for t in range(len(x) - 1, -1, -1):
        slope = 1 - np.square(h)[t + 1]
        dz = np.multiply(slope, doutput[t])
        gradients[0][t] = np.dot(dz, W_ih)
        terms = np.einsum("bh,be->he", dz, x[t]), np.einsum("bh,bk->hk", dz, h[t]), dz.sum(0), dz.sum(0)
        gradients[1:] = [total + term for total, term in zip(gradients[1:], terms)]
        back = np.dot(dz, W_hh)
    return gradients[0], back, *gradients[1:]
"""
    exercise = COURSE[6]
    head, *_ = exercise.stub().partition("    x, h, W_ih, W_hh = cache\n")
    (solved / exercise.filename).write_text(head + own)
    verdict = judge(solved, exercise)
    assert "dz = np.multiply(slope, doutput[t])" in verdict.explanation
    assert verdict.explanation.endswith("The gradient of the second use is missing (R3).")
    (solved / exercise.filename).write_text(head + own.replace("doutput[t])", "doutput[t] + back)"))
    assert judge(solved, exercise).ok


WRONG = [
    (2, "dy.sum(axis=0)", "dy.sum(axis=0).astype(np.float32)", "db is right to a few digits only"),
    (2, "dy.sum(axis=0)", "dy.sum(axis=0, keepdims=True)", "db is of shape (1, 3), expected (3,)"),
    (2, "return dx, dW, db", "return dx, dW", "returns 2 values, expected dx, dW, db"),
    (2, "return dx, dW, db", "return", "returns nothing, expected dx, dW, db"),
    (2, "return dx, dW, db", "return dx, None, db", "dW is None"),
    (2, "return y, (x, W)", "return y", "must return two things: y, and the cache"),
    (2, "dW = dy.T @ x", "dW = 'dy.T @ x'", "dW is of type str, expected real numbers"),
    (2, "dx = dy @ W", "dx = dy @ W + 1j", "dx is of type ndarray, expected real numbers"),
    (2, "dx = dy @ W", "dy -= 1e-3; dx = (dy + 1e-3) @ W", "changes its argument dy"),
    (4, "(p - onehot) / N", "(p - onehot) / 4", "dlogits is wrong"),  # N in the first case
    (7, "dh = doutput[t] + dh_next", "dh = doutput[t]; dh += dh_next", "changes its argument doutput"),
    (7, "reversed(range(len(x)))", "reversed(range(4))", "IndexError"),  # T in the first case
    (11, "p, m, v = ({name: new", "p, _, _ = ({name: new", "m['C']"),
]


@pytest.mark.parametrize(("number", "old", "new", "words"), WRONG)
def test_what_is_nearly_right_is_wrong(number, old, new, words, solved):
    exercise = COURSE[number - 1]
    assert old in exercise.solution()
    (solved / exercise.filename).write_text(exercise.solution().replace(old, new))
    verdict = judge(solved, exercise)
    assert not verdict.ok
    assert words in verdict.problem


def test_solutions_agree_with_the_textbook():
    rng = np.random.default_rng(0)
    T, B, V, E, H = 4, 2, 5, 3, 2
    p = textbook.init(V, E, H, rng)
    short = dict(zip(ex11_put_together.NAMES, p.values(), strict=True))
    tokens, targets = rng.integers(V, size=(2, T, B))
    h_0 = np.zeros((B, H))
    logits, x, h = textbook.forward(p, tokens, h_0)
    loss, dlogits = textbook.cross_entropy(logits, targets)
    expected, _ = textbook.backward(p, tokens, x, h, dlogits, h_0)
    # The whole chain: linear, embedding, cross-entropy, and back through time.
    assert ex11_put_together.linear is ex02_bias_and_batch.linear
    assert ex11_put_together.embedding is ex05_embedding.embedding
    assert ex11_put_together.cross_entropy is ex04_cross_entropy.cross_entropy
    assert ex11_put_together.rnn is ex07_through_time.rnn
    got, gradients = ex11_put_together.loss_and_gradients(short, tokens, targets)
    np.testing.assert_allclose(got, loss, rtol=1e-12)
    for name, g in zip(ex11_put_together.NAMES, expected.values(), strict=True):
        np.testing.assert_allclose(gradients[name], g, rtol=1e-10, atol=1e-13)
    m, v = ({name: rng.random(p[name].shape) for name in p} for _ in range(2))
    new = {name: ex10_adam.adam(p[name], expected[name], m[name], v[name], 3) for name in p}
    textbook.adam(p, expected, m, v, 3)
    for name in p:
        for ours, theirs in zip(new[name], (p[name], m[name], v[name]), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_lstm_agrees_with_the_textbook():
    rng = np.random.default_rng(0)
    T, B, V, H = 3, 2, 4, 2
    p = textbook_lstm.init(V, H, rng) | {"fc.weight": np.eye(H), "fc.bias": np.zeros(H)}
    x, h_0, c_0 = rng.standard_normal((T, B, V)), *rng.standard_normal((2, B, H))
    doutput = rng.standard_normal((T, B, H))
    logits, *tape = textbook_lstm.forward(p, x, h_0, c_0)
    gradients, *others = textbook_lstm.backward(p, x, *tape, doutput, np.zeros((B, H)), np.zeros((B, H)))
    output, cache = ex14_lstm_through_time.lstm(x, h_0, c_0, *list(p.values())[:4])
    np.testing.assert_allclose(output, logits, rtol=1e-12)
    got = ex14_lstm_through_time.lstm_backward(doutput, cache)
    for ours, theirs in zip(got, [*others, *list(gradients.values())[:4]], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-13)
