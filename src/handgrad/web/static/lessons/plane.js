// A part of the plane, coloured by what a network answers there, with the examples and lines on it.

import { rgbOf } from "../colours.js";
import { el } from "../dom.js";
import { svg } from "../svg.js";
import { scale, ticks } from "../ticks.js";

const SIDE = 400;

/** Paint numbers from −1 to 1 into a canvas, `width` to a row. */
export function paint(canvas, numbers, width) {
  const [low, middle, high] = ["--negative", "--raised", "--positive"].map(rgbOf);
  Object.assign(canvas, { width, height: numbers.length / width });
  const picture = new ImageData(canvas.width, canvas.height);
  numbers.forEach((value, place) => {
    const share = Math.min(1, Math.abs(value));
    const end = value < 0 ? low : high;
    for (let part = 0; part < 3; part++) picture.data[4 * place + part] = middle[part] + share * (end[part] - middle[part]);
    picture.data[4 * place + 3] = 255;
  });
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

/**
 * The plane from (low, low) to (high, high), asked for at `count` × `count` places.
 * `grid` are those places, row by row from the top; `show({answers, lines, examples})` draws.
 */
export function createPlane(store, { low, high, count }) {
  const canvas = el("canvas", { "aria-hidden": "true" });
  const over = svg("svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, role: "img" });
  const element = el("div", { class: "plane" }, canvas, over);
  const [x, y] = [scale(low, high, 0, SIDE), scale(low, high, SIDE, 0)];
  const at = (place) => low + ((place + 0.5) / count) * (high - low);
  const grid = Array.from({ length: count * count }, (_, place) => [at(place % count), at(count - 1 - Math.floor(place / count))]);
  const axes = ticks(low, high, 5).flatMap((tick) => axis(tick, x, y, low, high));
  let answers = new Array(count * count).fill(0.5);

  const colour = () => paint(canvas, answers.map((answer) => 0.75 * (2 * answer - 1)), count);
  store.subscribe(colour, ["theme"]);
  colour();
  return {
    element,
    picture: over,
    grid,
    show({ answers: given = answers, lines = [], examples = [] }) {
      answers = Array.from(given);
      colour();
      over.replaceChildren(...axes, ...lines.flatMap((line, place) => across(line, place, { low, high, x, y })), ...examples.map((one) => mark(one, x, y)));
    },
  };
}

function axis(tick, x, y, low, high) {
  if (tick === low || tick === high) return [];
  return [
    svg("text", { x: x(tick), y: SIDE - 6, "text-anchor": "middle", class: "tick" }, String(tick).replace("-", "−")),
    svg("text", { x: 6, y: y(tick) + 4, class: "tick" }, String(tick).replace("-", "−")),
  ];
}

/** The line on which w₀x + w₁y + b is 0, as far as it lies in the plane. */
function across({ weights: [w0, w1], bias, name }, place, { low, high, x, y }) {
  const ends = [];
  for (const side of [low, high]) {
    if (w1) ends.push([side, -(w0 * side + bias) / w1]);
    if (w0) ends.push([-(w1 * side + bias) / w0, side]);
  }
  const inside = ends.filter((end) => end.every((value) => value >= low - 1e-9 && value <= high + 1e-9));
  if (inside.length < 2) return [];
  const [one, other] = [inside[0], inside.reduce((far, end) => (distance(end, inside[0]) > distance(far, inside[0]) ? end : far))];
  if (distance(one, other) === 0) return [];
  const drawn = svg("line", { x1: x(one[0]), y1: y(one[1]), x2: x(other[0]), y2: y(other[1]), class: `unit unit-${place}` });
  const [tx, ty] = [x(other[0]), y(other[1])].map((value) => Math.min(SIDE - 16, Math.max(16, value)));
  return name ? [drawn, svg("text", { x: tx, y: ty + 4, "text-anchor": "middle", class: "unit-name" }, name)] : [drawn];
}

const distance = ([a, b], [c, d]) => Math.hypot(a - c, b - d);

/** An example: a disc for class 1, a ring for class 0; a square where nobody knows. */
function mark({ at: [a, b], label, text }, x, y) {
  const [kind, place] = [label === null ? "asked" : `label-${label}`, [x(a), y(b)]];
  const shape = label === null
    ? svg("rect", { x: place[0] - 7, y: place[1] - 7, width: 14, height: 14, class: `example ${kind}` })
    : svg("circle", { cx: place[0], cy: place[1], r: 8, class: `example ${kind}` });
  if (!text) return shape;
  const beside = { x: Math.min(SIDE - 18, Math.max(18, place[0])), y: place[1] > 40 ? place[1] - 14 : place[1] + 24 };
  return svg("g", {}, shape, svg("text", { ...beside, "text-anchor": "middle", class: "answer" }, text));
}
