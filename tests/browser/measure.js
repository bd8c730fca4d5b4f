// Measurements for the tests, added to the page once it has loaded.

const shown = (element) => element.checkVisibility({ visibilityProperty: true });
const rgba = (text) => text.match(/[\d.]+/g).map(Number);

/** All text nodes, each with its element. */
function texts() {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const { data, parentElement } = walker.currentNode;
    if (data.trim() && parentElement.tagName !== "SCRIPT" && shown(parentElement)) found.push([walker.currentNode, parentElement]);
  }
  return found;
}

/** Each text with its colour and the nearest background colour behind it. */
function textColours() {
  return texts().map(([node, element]) => {
    let behind = element;
    while (behind && rgba(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
    const ground = behind ? getComputedStyle(behind).backgroundColor : "rgb(255, 255, 255)";
    return [node.data, rgba(getComputedStyle(element).color), rgba(ground)];
  });
}

/** Elements that reach beyond the left or right edge of the window, except the columns and arrows of the network, which scroll. */
function sticksOut() {
  return [...document.body.querySelectorAll("*")].filter((element) => {
    const { left, right, width } = element.getBoundingClientRect();
    return width && shown(element) && !element.closest("#network .stage") && (left < -0.5 || right > innerWidth + 0.5);
  }).map((element) => element.outerHTML.slice(0, 100));
}

/** Labels along an axis that overlap. */
function overlaps() {
  const found = [];
  for (const axis of document.querySelectorAll(".letters")) {
    const upright = axis.matches(".names .letters");
    let end = -Infinity;
    for (const name of axis.querySelectorAll(":scope > span")) {
      if (!name.textContent) continue;
      const range = document.createRange();
      range.selectNodeContents(name);
      const { left, right, top, bottom } = range.getBoundingClientRect();
      const half = parseFloat(getComputedStyle(name).fontSize) / 2, middle = (top + bottom) / 2;
      if ((upright ? middle - half : left) < end - 0.5) found.push(`${axis.className}: ${name.textContent}`);
      end = upright ? middle + half : right;
    }
  }
  return found;
}
