"""No upstream gradient, direction or input of ours equals numbers that the user draws from a default_rng(n)."""

import numpy as np
import pytest

import numpy_rnn as nr
from numpy_rnn.cli import main
from numpy_rnn.cli.random_arrays import draw

SHAPE = 4, 3
SEEDS = [0, 1, 2, 3, 7, 42, 123, 1234, 2**32 - 1]


def tanh(x):
    return np.tanh(x), x


def input_for_upstream(d, x):
    return x * (1 - np.tanh(x) ** 2)


def upstreams(seed):
    seen = []
    keep = seen.append  # a built-in method, which copies of the function share

    def backward(d, x):
        keep(d.copy())
        return d * (1 - np.tanh(x) ** 2)

    assert nr.gradcheck((tanh, backward), np.full(SHAPE, 0.3), seed=seed).ok
    return seen


def numbers_of_users():
    """Return what users may have drawn: the first numbers, of several kinds, from many seeds."""
    rngs = [np.random.default_rng(n) for n in [*range(1000), *SEEDS]]
    rngs += [np.random.default_rng([0, n]) for n in range(10)] + np.random.default_rng(0).spawn(4)
    old = [np.random.RandomState(n) for n in [*range(100), *SEEDS]]
    return np.concatenate([rng.standard_normal(60) for rng in rngs] + [rng.standard_normal(60) for rng in old])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("skipped", [0, 1])
def test_an_input_used_for_the_upstream_gradient_is_always_found(seed, skipped):
    for n in {seed, 0, seed + 1}:
        rng = np.random.default_rng(n)
        rng.standard_normal((skipped, *SHAPE))
        report = nr.gradcheck((tanh, input_for_upstream), rng.standard_normal(SHAPE), seed=seed)
        assert report.tensors["x"].verdict == "WRONG"


def test_upstream_gradients_and_the_commands_inputs_are_no_numbers_of_the_users():
    ours = [draw(option, ["x=4,3"], seed)["x"] for option in ("--input", "--param", "--init") for seed in SEEDS]
    ours += [d for seed in SEEDS[:3] for d in upstreams(seed)]
    assert not np.isin(np.concatenate([array.ravel() for array in ours]), numbers_of_users()).any()


def test_upstream_gradients_of_one_check_are_independent_but_repeatable():
    first, second, again = (np.array(upstreams(seed)) for seed in (0, 1, 0))
    np.testing.assert_array_equal(first, again)
    assert not np.isin(first, second).any()
    assert len({d.tobytes() for d in first}) >= 2  # another one is used to look for what a call leaves behind


@pytest.mark.parametrize("seed", SEEDS)
def test_directions_are_not_parallel_to_the_input(seed):
    x = np.random.default_rng(seed).standard_normal(SHAPE)

    def backward(x, cache=None):  # wrong, but right along x itself
        aside = np.roll(x, 1)
        return 2 * x + aside - x * (aside.ravel() @ x.ravel()) / (x.ravel() @ x.ravel())

    report = nr.gradcheck((lambda x: np.sum(x * x), backward), x, full=False, directions=1, seed=seed)
    assert report.tensors["x"].verdict == "WRONG"


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_the_command_finds_an_input_used_for_the_upstream_gradient(capsys, tmp_path, seed):
    path = tmp_path / "mine.py"
    path.write_text(
        "import numpy as np\ndef tanh(x): return np.tanh(x), x\ndef back(d, x): return x * (1 - np.tanh(x) ** 2)\n"
    )
    assert main(["gradcheck", f"{path}:tanh, back", "--input", "x=4,3", "--seed", str(seed)]) == 1
    assert "its gradient is wrong" in capsys.readouterr().out


def test_inputs_of_the_command_depend_on_their_name_option_and_seed_alone():
    x = draw("--input", ["x=4,3"], 0)["x"]
    np.testing.assert_array_equal(draw("--input", ["w=9", "x=4,3"], 0)["x"], x)
    others = [
        draw("--input", ["y=4,3"], 0)["y"],
        draw("--param", ["x=4,3"], 0)["x"],
        draw("--input", ["x=4,3"], 1)["x"],
    ]
    assert not any(np.isin(other, x).any() for other in others)
