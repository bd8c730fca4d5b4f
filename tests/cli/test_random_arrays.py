import numpy as np
import pytest

from numpy_rnn.cli.random_arrays import draw


def test_the_three_kinds_of_numbers():
    arrays = draw("--input", ["x=40,30", "k=40,30:3", "p=40,30:-2:-1.5", "s=", "e=0,3", "one=3,", " y = 2, 3 "], 0)
    x, k, p = (arrays[name] for name in "xkp")
    assert x.shape == k.shape == p.shape == (40, 30)
    assert abs(x.mean()) < 0.1 < 0.9 < x.std() < 1.1
    assert k.dtype.kind == "i"
    assert set(k.ravel()) == {0, 1, 2}
    assert -2 <= p.min() < -1.9
    assert -1.6 < p.max() < -1.5
    assert [arrays[name].shape for name in ("s", "e", "one", "y")] == [(), (0, 3), (3,), (2, 3)]


def test_the_numbers_depend_on_the_seed_the_option_and_the_name_alone():
    def numbers(option="--input", texts=("x=5",), seed=0):
        return draw(option, texts, seed)["x"].tolist()

    first = numbers()
    assert numbers(texts=["a=3", "x=5", "b=2:4"]) == first
    others = [numbers(seed=1), numbers("--param"), draw("--input", ["y=5"], 0)["y"].tolist()]
    assert all(other != first for other in others)


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_no_generator_of_the_user_draws_the_same(seed):
    x = draw("--input", ["x=5"], seed)["x"]
    for n in [*range(100), seed, [seed], [seed, 0]]:
        assert not np.isclose(x, np.random.default_rng(n).standard_normal(5)).any()


@pytest.mark.parametrize(
    "text",
    [
        *["x", "=3", "", "x=a", "x=2,b", "x=2,,3", "x=,", "x=-1", "x=1.5", f"x={'9' * 30}", f"x={'1,' * 70}"],
        *["x=2:0", "x=2:a", "x=2:1.5", "x=2:", f"x=2:{'9' * 30}"],
        *["x=2:3:1", "x=2:0:a", "x=2:0:1:2", "x=2:0:inf", "x=2:nan:1"],
    ],
)
def test_a_text_that_cannot_be_read(text):
    with pytest.raises(ValueError, match=r"^--init expects NAME=SHAPE, such as ") as caught:
        draw("--init", ["fine=3", text], 0)
    assert str(caught.value).endswith(f", got {text!r}")
    assert "\n" not in str(caught.value)


def test_a_name_that_is_given_twice():
    with pytest.raises(ValueError, match=r"^--param w is given twice$"):
        draw("--param", ["w=3", "w = 4"], 0)
