// An array as a picture: a cell a number, of which one can be chosen by pointer or keys.

import { rgbOf } from "./colours.js";
import { announce, el, number } from "./dom.js";
import { register, t } from "./i18n.js";
import { sizeOf, unravel } from "./shapes.js";

register({
  en: {
    "heat.range": "from {low} to {high}",
  },
  zh: {
    "heat.range": "从 {low} 到 {high}",
  },
});

/**
 * Where the numbers of an array lie in its picture, counted in cells.
 * A vector is wrapped into rows, (C, H, W) becomes C tiles, a matrix whose rows are images becomes a tile a row.
 */
function layoutOf(shape, { image = null, room = 320 } = {}) {
  const size = sizeOf(shape);
  const widest = Math.floor(room / smallestCell(size));
  if (shape.length <= 1) {
    if (image && size === image[0] * image[1]) return tiles(1, image[0], image[1], widest);
    return tiles(1, Math.ceil(size / vectorColumns(size)), vectorColumns(size), widest, size);
  }
  if (shape.length === 2) {
    if (image && shape[1] === image[0] * image[1]) return tiles(shape[0], image[0], image[1], widest);
    return tiles(1, shape[0], shape[1], widest);
  }
  const [height, width] = shape.slice(-2);
  const across = shape.length === 4 && shape[1] > 1 ? shape[1] : undefined;
  return tiles(size / (height * width), height, width, widest, size, across);
}

const vectorColumns = (size) => (size <= 16 ? size : size <= 64 ? 16 : size <= 256 ? 32 : 64);

/** Pixels that a cell should have at least: the more numbers there are, the smaller. */
const smallestCell = (size) => (size <= 1024 ? 6 : size <= 4096 ? 3 : size <= 16384 ? 2 : 1);

function tiles(count, height, width, widest, size = count * height * width, across) {
  const gap = count > 1 ? 1 : 0;
  const fitting = across ?? Math.max(1, Math.min(count, Math.floor((widest + gap) / (width + gap))));
  const rows = Math.ceil(count / fitting);
  const area = height * width;
  return {
    size,
    columns: fitting * (width + gap) - gap,
    rows: rows * (height + gap) - gap,
    /** Column and row of a number, by its place in row-major order. */
    place(flat) {
      const tile = Math.floor(flat / area);
      const inside = flat % area;
      return [
        (tile % fitting) * (width + gap) + (inside % width),
        Math.floor(tile / fitting) * (height + gap) + Math.floor(inside / width),
      ];
    },
    /** The number at a column and row; -1 where there is none. */
    at(column, row) {
      const [i, j] = [column % (width + gap), row % (height + gap)];
      const tile = Math.floor(row / (height + gap)) * fitting + Math.floor(column / (width + gap));
      const flat = tile * area + j * width + i;
      const outside = i >= width || j >= height || tile >= count || flat >= size || column < 0 || row < 0;
      return outside || column >= this.columns ? -1 : flat;
    },
  };
}

/**
 * A picture of an array.
 *
 * @param {object} options
 * @param {string} options.label key of its name for those who do not see it
 * @param {object} options.values what the key's text is filled with
 * @param {(flat: number) => void} options.choose called when a number is chosen
 * @param {boolean} [options.grey] from paper to ink, rather than two colours on either side of 0
 */
export function createHeatmap({ label, values, choose, grey = false }) {
  const base = el("canvas");
  const veil = el("canvas", { class: "veil", "aria-hidden": "true" });
  const cursor = el("div", { class: "cursor", hidden: true, "aria-hidden": "true" });
  const hovered = el("div", { class: "cursor hovered", hidden: true, "aria-hidden": "true" });
  const pane = el("div", { class: "pane", tabindex: "0", role: "application", label, values }, base, veil, hovered, cursor);
  const reading = el("p", { class: "reading small numbers faint" });
  const element = el("div", { class: "heat" }, pane, reading);
  let array = null;
  let layout = null;
  let chosen = -1;
  let lit = null;
  let cell = 1;

  function draw() {
    if (!array) return;
    const room = Math.max(120, element.clientWidth || 320);
    layout = layoutOf(array.shape, { image: array.image, room });
    fit(room);
    drawCells();
    drawVeil();
    place(cursor, chosen);
  }

  function drawCells() {
    const { data, low, high } = array;
    const [sunken, ink, negative, positive] = ["--sunken", "--ink", "--negative", "--positive"].map(rgbOf);
    const picture = new ImageData(layout.columns, layout.rows);
    for (let flat = 0; flat < layout.size; flat += 1) {
      const [column, row] = layout.place(flat);
      const offset = 4 * (row * layout.columns + column);
      const share = grey ? (data[flat] - low) / (high - low || 1) : data[flat] / (array.scale || 1);
      const end = grey ? ink : share < 0 ? negative : positive;
      const weight = Number.isNaN(share) ? 0 : Math.min(1, Math.abs(share));
      for (let channel = 0; channel < 3; channel += 1) {
        picture.data[offset + channel] = sunken[channel] + weight * (end[channel] - sunken[channel]);
      }
      picture.data[offset + 3] = 255;
    }
    [base.width, base.height] = [layout.columns, layout.rows];
    base.getContext("2d").putImageData(picture, 0, 0);
  }

  /** As large as there is room for, in whole pixels. */
  function fit(room) {
    const most = layout.columns <= 16 ? 22 : layout.columns <= 32 ? 12 : 8;
    cell = Math.max(1, Math.min(most, Math.floor(room / layout.columns)));
    pane.style.setProperty("--width", `${cell * layout.columns}px`);
    pane.style.setProperty("--height", `${cell * layout.rows}px`);
  }

  /** What does not take part fades. */
  function drawVeil() {
    [veil.width, veil.height] = [layout.columns, layout.rows];
    if (!lit) return;
    const [red, green, blue] = rgbOf("--paper");
    const faded = ((205 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
    const cover = new ImageData(layout.columns, layout.rows);
    const cells = new Uint32Array(cover.data.buffer);
    for (let flat = 0; flat < layout.size; flat += 1) {
      if (lit.has(flat)) continue;
      const [column, row] = layout.place(flat);
      cells[row * layout.columns + column] = faded;
    }
    veil.getContext("2d").putImageData(cover, 0, 0);
  }

  function place(box, flat) {
    box.hidden = flat < 0 || !layout;
    if (box.hidden) return;
    const [column, row] = layout.place(flat);
    const side = Math.max(cell, 4);
    Object.assign(box.style, { left: `${column * cell}px`, top: `${row * cell}px`, width: `${side}px`, height: `${side}px` });
  }

  function read(flat) {
    reading.textContent = flat < 0 ? summary() : `[${unravel(flat, array.shape).join(", ")}]  ${number(array.data[flat])}`;
  }

  const summary = () => (array ? t("heat.range", { low: number(array.low, 3), high: number(array.high, 3) }) : "");

  function under(event) {
    if (!layout) return -1;
    const box = base.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * layout.columns);
    return layout.at(column, Math.floor(((event.clientY - box.top) / box.height) * layout.rows));
  }

  pane.addEventListener("pointermove", (event) => {
    const flat = under(event);
    place(hovered, flat);
    if (array) read(flat);
  });
  pane.addEventListener("pointerleave", () => {
    hovered.hidden = true;
    if (array) read(chosen);
  });
  pane.addEventListener("click", (event) => {
    const flat = under(event);
    if (flat >= 0) choose(flat);
  });
  pane.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!layout || !(event.key in moves || event.key === "Enter" || event.key === " ")) return;
    event.preventDefault();
    const flat = chosen < 0 || !(event.key in moves) ? Math.max(0, chosen) : neighbour(chosen, moves[event.key]);
    announce(`[${unravel(flat, array.shape).join(", ")}] ${number(array.data[flat])}`);
    choose(flat);
  });

  /** The next number in a direction, across the gaps between tiles; the same one at the edge. */
  function neighbour(flat, [right, down]) {
    let [column, row] = layout.place(flat);
    for (let tries = 0; tries < 3; tries += 1) {
      column += right;
      row += down;
      const next = layout.at(column, row);
      if (next >= 0) return next;
    }
    return flat;
  }

  return {
    element,
    /** Show an array {shape, data}, or nothing. */
    show(given, { image = null } = {}) {
      array = given && { ...given, ...rangeOf(given.data), image };
      element.classList.toggle("empty", !given);
      if (!given) {
        reading.textContent = "";
        return;
      }
      draw();
      read(chosen);
    },
    /** Mark one number, and let those that do not belong to `sources` fade. */
    mark(flat, sources) {
      if (flat === chosen && sources === lit) return;
      const veiled = sources !== lit;
      chosen = flat;
      lit = sources;
      if (!array) return;
      read(chosen);
      if (veiled) drawVeil();
      place(cursor, chosen);
    },
    draw,
  };
}

/** Smallest, largest, and the largest size of the numbers that are finite: a network that diverged has others. */
function rangeOf(data) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of data) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) [low, high] = [0, 0];
  return { low, high, scale: Math.max(Math.abs(low), Math.abs(high)) };
}
