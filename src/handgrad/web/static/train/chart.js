// Curves over the steps of a training, on a canvas that is drawn anew when there is something new to see.

import { colourOf } from "../colours.js";
import { el, number } from "../dom.js";
import { register, t } from "../i18n.js";
import { scale, ticks } from "../ticks.js";

register({
  en: {
    "chart.nothing": "{title}: nothing has been measured yet.",
    "chart.said": "{title}, up to step {step}. {lines}",
    "chart.line": "{name}: {value}.",
  },
  zh: {
    "chart.nothing": "{title}：还没有测量。",
    "chart.said": "{title}，到第 {step} 步。{lines}",
    "chart.line": "{name}：{value}。",
  },
});

const [LEFT, RIGHT, TOP, BOTTOM] = [52, 12, 10, 26];
const TICKS = 4;

/**
 * A picture of curves over steps.
 *
 * @param {object} options
 * @param {string} options.title key of its heading
 * @param {Array<{name: string, title: string, colour: string, dots?: boolean}>} options.lines what is drawn: key of the
 *   name, CSS variable of the colour, and whether each point is marked
 * @param {boolean} [options.log] whether the axis may be logarithmic, where the numbers are far apart
 * @param {(value: number) => string} [options.format] of the numbers at the axis
 */
export function createChart({ title, lines, log = false, format = (value) => number(value, 3) }) {
  const canvas = el("canvas", { class: "chart", role: "img" });
  const keys = lines.map((line) => {
    const value = el("span", { class: "numbers key-value" });
    const mark = el("span", { class: `swatch${line.dots ? " dots" : ""}`, "aria-hidden": "true" });
    mark.style.background = `var(${line.colour})`;
    return { value, element: el("span", { class: "curve-key" }, mark, el("span", { t: line.title }), value) };
  });
  const legend = el("p", { class: "curve-keys small" }, keys.map((key) => key.element));
  const element = el("figure", { class: "curves" }, el("figcaption", {}, el("h3", { t: title })), legend, canvas);
  let series = Object.fromEntries(lines.map((line) => [line.name, []]));
  let epoch = 0; // steps that one takes
  let waiting = false;

  function draw() {
    waiting = false;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width || !height) return; // the view is not shown
    const ratio = window.devicePixelRatio || 1;
    Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const frame = measured(width, height);
    drawGrid(pen, frame);
    for (const line of lines) drawLine(pen, frame, series[line.name], line);
  }

  function redraw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(draw);
  }

  /** Where everything lies: from step and value to pixels. */
  function measured(width, height) {
    const points = lines.flatMap((line) => series[line.name]).filter(([, value]) => Number.isFinite(value));
    const values = points.map(([, value]) => value);
    const last = Math.max(1, ...points.map(([step]) => step));
    let [low, high] = values.length ? [Math.min(...values), Math.max(...values)] : [0, 1];
    const isLog = log && low > 0 && high > 20 * low;
    if (isLog) [low, high] = [Math.log10(low) - 0.08, Math.log10(high) + 0.08];
    else {
      const room = (high - low || Math.abs(high) || 1) * 0.08;
      [low, high] = [low >= 0 ? Math.max(0, low - room) : low - room, high + room];
    }
    const x = scale(0, last, LEFT, width - RIGHT);
    const level = scale(low, high, height - BOTTOM, TOP);
    const y = (value) => level(isLog ? Math.log10(value) : value);
    return { x, y, low, high, isLog, last, width, height };
  }

  function drawGrid(pen, frame) {
    const { x, y, low, high, isLog, last, width, height } = frame;
    pen.strokeStyle = colourOf("--line");
    pen.fillStyle = colourOf("--faint");
    pen.lineWidth = 1;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    const shown = isLog ? powers(low, high) : ticks(low, high, TICKS);
    for (const value of shown) {
      stroke(pen, [[LEFT, y(value)], [width - RIGHT, y(value)]]);
      pen.fillText(format(value), LEFT - 6, y(value));
    }
    pen.textAlign = "center";
    pen.textBaseline = "top";
    for (const step of ticks(0, last, width < 420 ? 3 : 6)) {
      pen.fillText(step.toLocaleString("en"), Math.min(x(step), width - RIGHT - 14), height - BOTTOM + 7);
    }
    pen.textAlign = "left";
    if (epoch && last / epoch <= 40) drawEpochs(pen, frame);
  }

  /** A thin line at the end of each epoch. */
  function drawEpochs(pen, { x, last, height }) {
    pen.setLineDash([2, 3]);
    for (let step = epoch; step <= last; step += epoch) stroke(pen, [[x(step), TOP], [x(step), height - BOTTOM]]);
    pen.setLineDash([]);
  }

  function drawLine(pen, { x, y }, points, line) {
    pen.strokeStyle = pen.fillStyle = colourOf(line.colour);
    pen.lineWidth = line.dots ? 2 : 1.6;
    pen.lineJoin = "round";
    const shown = points.filter(([, value]) => Number.isFinite(value)).map(([step, value]) => [x(step), y(value)]);
    stroke(pen, shown);
    if (line.dots && shown.length <= 60) {
      for (const [across, down] of shown) {
        pen.beginPath();
        pen.arc(across, down, 3, 0, 2 * Math.PI);
        pen.fill();
      }
    }
  }

  function describe() {
    const said = lines.filter((line) => series[line.name].length);
    const last = Math.max(0, ...said.map((line) => series[line.name].at(-1)[0]));
    const parts = said.map((line) => t("chart.line", { name: t(line.title), value: format(series[line.name].at(-1)[1]) }));
    const key = said.length ? "chart.said" : "chart.nothing";
    canvas.setAttribute("aria-label", t(key, { title: t(title), step: last.toLocaleString("en"), lines: parts.join(" ") }));
  }

  new ResizeObserver(redraw).observe(canvas);
  return {
    element,
    /** Show series by name, each a list of [step, value], and the number of steps in an epoch. */
    show(given, stepsPerEpoch) {
      series = { ...series, ...given };
      epoch = stepsPerEpoch;
      lines.forEach((line, place) => {
        const points = series[line.name];
        keys[place].value.textContent = points.length ? format(points.at(-1)[1]) : "";
        keys[place].element.hidden = !points.length;
      });
      describe();
      redraw();
    },
    redraw,
  };
}

function stroke(pen, points) {
  pen.beginPath();
  points.forEach(([x, y], place) => (place ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.stroke();
}

/** Numbers for a logarithmic axis between two exponents: powers of ten, and 2 and 5 times these where there is room. */
function powers(low, high) {
  const factors = high - low < 1.5 ? [1, 2, 5] : high - low < 2.5 ? [1, 3] : [1];
  const found = [];
  for (let power = Math.floor(low); power <= Math.ceil(high); power += 1) {
    for (const factor of factors) {
      const value = Number((factor * 10 ** power).toPrecision(3));
      if (Math.log10(value) >= low && Math.log10(value) <= high) found.push(value);
    }
  }
  return found;
}
