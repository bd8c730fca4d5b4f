"""The page in a browser tab, described by what a reader does and sees."""

import re

import numpy as np

# Returns rows, columns and position of a grid. If the page scrolls, the scroll event comes with the next frame.
INTO_SIGHT = """async (grid) => {
  const before = scrollY;
  grid.scrollIntoView({ block: "center" });
  if (scrollY !== before) await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const { x, y, width, height } = grid.getBoundingClientRect(), canvas = grid.querySelector("canvas");
  return [canvas.height, canvas.width, x, y, width, height];
}"""


class ExplorerPage:
    def __init__(self, tab):
        self.tab = tab

    def find(self, selector):
        return self.tab.locator(selector)

    def text(self, selector):
        """Return the text of the only element that matches."""
        return self.find(selector).text_content()

    def press(self, *keys):
        for key in keys:
            self.tab.keyboard.press(key)

    def settle(self):
        """Wait for two frames: by then the page has handled all events and drawn."""
        self.tab.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    @property
    def tooltip(self):
        """The text of the tooltip, None while it is hidden."""
        return self.tab.evaluate("tooltip.hidden ? null : tooltip.textContent")

    @property
    def place(self):
        """The epoch, the step and the followed loss (None for all); the last two count from 1, as on the page."""
        epoch = re.match(r"epoch (\d+) of", self.text("#epoch-name"))
        step = re.match(r"step (\d+) of", self.text("#step-name"))
        loss = self.find("#follow option:checked").text_content()
        return int(epoch[1]), int(step[1]), None if loss == "all losses" else int(loss.removeprefix("loss "))

    def choose(self, epoch=None, step=None, direction=None, loss=None, parameter=None):
        """Select an epoch (which is trained first), a step and a loss (from 0), a pass, a parameter."""
        if epoch is not None:
            self.tab.evaluate("(epoch) => { show({ epoch: 0 }); advance(epoch); }", epoch)
        if direction is not None:
            self.find(f"#{direction}").check()
        if loss is not None:
            self.find("#follow").select_option(str(loss))
        if step is not None:
            self.find(f'[data-step="{step}"] .time').click()
        if parameter is not None:
            self.find("#parameter").select_option(parameter)

    @property
    def items(self):
        """The numbers that the page shows, as arrays; test_textbook_js.py compares them with Python's."""
        items = self.tab.evaluate("items") | self.tab.evaluate("weights()")
        ragged = {name: items.pop(name) for name in ("dh_by_loss", "norms", "gradients")}
        return {name: np.array(values) for name, values in items.items()} | ragged

    def lit(self):
        """The labels of everything that lights up, by kind."""
        return self.tab.evaluate("""() => {
          const kinds = { equation: ".equation", arrow: ".arrow", row: ".row", word: ".word", cells: ".strip" };
          return Object.fromEntries(Object.entries(kinds).map(([kind, selector]) => [kind,
            [...new Set([...document.querySelectorAll(selector + ".lit")].map((e) => e.dataset.labels))]]));
        }""")

    def points(self, grid, shape, cells):
        """Scroll a grid of this shape into view, and return the centres of these cells."""
        *its_shape, x, y, width, height = grid.evaluate(INTO_SIGHT)
        assert its_shape == list(shape)
        return [(x + width * (c + 0.5) / shape[1], y + height * (r + 0.5) / shape[0]) for r, c in cells]

    def hover(self, grid, shape, *cells):
        """Hover over some cells one after another, and return the tooltip of each."""
        said = []
        for point in self.points(grid, shape, cells):
            self.tab.mouse.move(*point)
            said.append(self.tooltip)
        return said

    def sample(self, grid, shape, rng, *cells):
        """Hover over these cells, a random one and the last one; return pairs of a cell and its tooltip."""
        cells = [*cells, tuple(rng.integers(shape).tolist()), (shape[0] - 1, shape[1] - 1)]
        return list(zip(cells, self.hover(grid, shape, *cells), strict=True))

    def click(self, grid, shape, cell):
        self.tab.mouse.click(*self.points(grid, shape, [cell])[0])

    def tap(self, grid, shape, cell):
        self.tab.touchscreen.tap(*self.points(grid, shape, [cell])[0])

    def pixels(self, grid):
        """Return the colours of a grid, cell by cell: red, green, blue and opacity from 0 to 255."""
        numbers = grid.locator("canvas").evaluate(
            "(canvas) => { const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d'); "
            "copy.drawImage(canvas, 0, 0); return [...copy.getImageData(0, 0, canvas.width, canvas.height).data]; }"
        )
        return [tuple(numbers[i : i + 4]) for i in range(0, len(numbers), 4)]
