"""The digits on the page: `printed`, which the other tests use, equals the page's `number`."""

import numpy as np
import pytest

from tests.browser.printed import printed, term

pytestmark = pytest.mark.browser

BY_HAND = {
    0.0: "0",
    0.5: "0.5000",
    -0.0275: "-0.02750",
    123.456: "123.5",
    -1234.5: "-1235",
    9999.96: "1.000e+4",
    0.00099996: "1.000e-3",
    0.00012344: "1.234e-4",
    5e-324: "4.941e-324",
    1.7976931348623157e308: "1.798e+308",
}


def test_four_digits():
    assert {x: printed(x) for x in BY_HAND} == BY_HAND
    assert [term(x) for x in (-0.5, 0.5, 0.0)] == ["(-0.5000)", "0.5000", "0"]


def test_the_page_prints_so(page):
    rng = np.random.default_rng(0)
    signs = rng.choice([-1, 1], 2000)
    numbers = [*BY_HAND, -0.0, 1e-3, 1e4, 9999.4, 9999.5]
    numbers += [1234.5, 1235.5, 2.5, 0.03125, 0.0009765625, 123.4375, 1048576.0, 100050.0, 100150.0]  # halves
    numbers += (signs * 10.0 ** rng.uniform(-320, 308, 2000)).tolist()  # tiny and huge
    numbers += (signs * 10.0 ** rng.uniform(-5, 6, 2000)).tolist()
    numbers += [-x for x in numbers]
    assert page.tab.evaluate("(numbers) => numbers.map(number)", numbers) == [printed(x) for x in numbers]
    assert page.tab.evaluate("(numbers) => numbers.map(term)", numbers) == [term(x) for x in numbers]
