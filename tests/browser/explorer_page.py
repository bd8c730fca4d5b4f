"""The page in a browser tab, described by what a reader does and sees."""

import re

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
        """The selected epoch, step, loss and state; the last three count from 1, as on the page."""
        step = re.match(r"step (\d+) of", self.text("#step-name"))
        path = re.match(r"From the loss at step (\d+) .* back to h(\d+) \(", self.text("#path h3"))
        return int(self.text("#epoch-name")), int(step[1]), int(path[1]), int(path[2])

    def choose(self, epoch=None, step=None, parameter=None):
        """Select a stage of training, by its index on the slider, a step or a parameter."""
        if epoch is not None:
            self.find("#epoch").fill(str(epoch))
        if step is not None:
            self.find(f'[data-step="{step}"] .time').click()
        if parameter is not None:
            self.find(f'#tabs [data-parameter="{parameter}"]').click()

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
