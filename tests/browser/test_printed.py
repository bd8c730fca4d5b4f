"""The digits on the page: `printed`, which the other tests use, equals the page's `number`."""

import numpy as np
import pytest

from tests.browser.printed import printed, term

pytestmark = pytest.mark.browser

BY_HAND = {
    0.0: "0",
    0.5: "0.50000",
    -0.0275: "-0.027500",
    123.456: "123.46",
    -12345.5: "-12346",
    99999.6: "1.0000e+5",
    0.000999996: "1.0000e-3",
    0.000123444: "1.2344e-4",
    5e-324: "4.9407e-324",
    1.7976931348623157e308: "1.7977e+308",
}


def test_five_digits():
    assert {x: printed(x) for x in BY_HAND} == BY_HAND
    assert [term(x) for x in (-0.5, 0.5, 0.0)] == ["(-0.50000)", "0.50000", "0"]


def test_the_page_prints_so(page):
    rng = np.random.default_rng(0)
    signs = rng.choice([-1, 1], 2000)
    numbers = [*BY_HAND, -0.0, 1e-3, 1e5, 99999.4, 99999.5]
    numbers += [12345.5, 12346.5, 2.5, 0.031250, 0.0009765625, 1234.0625, 1048576.0, 1000050.0, 1000150.0]  # halves
    numbers += (signs * 10.0 ** rng.uniform(-320, 308, 2000)).tolist()  # tiny and huge
    numbers += (signs * 10.0 ** rng.uniform(-5, 6, 2000)).tolist()
    numbers += [-x for x in numbers]
    assert page.tab.evaluate("(numbers) => numbers.map(number)", numbers) == [printed(x) for x in numbers]
    assert page.tab.evaluate("(numbers) => numbers.map(term)", numbers) == [term(x) for x in numbers]
