// Loss curves: one line for each training, over the number of steps.

import { el, number } from "../dom.js";
import { describe, register, say } from "../i18n.js";
import { svg } from "../svg.js";
import { scale, ticks } from "../ticks.js";

register({
  en: {
    "curve.loss": "loss",
    "curve.log": "loss, every line ten times the one below",
    "curve.said": "Loss over the steps, up to step {step}. It was {first} in the beginning and is {last} in the end.",
    "curve.nothing": "Loss over the steps; nothing has been measured yet.",
  },
  zh: {
    "curve.loss": "损失",
    "curve.log": "损失（每条线是下一条的十倍）",
    "curve.said": "损失随步数的变化，到第 {step} 步。开始时为 {first}，最后为 {last}。",
    "curve.nothing": "损失随步数的变化；还没有测量。",
  },
});

const [HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [230, 52, 14, 10, 26];
/** Beyond this ratio of largest to smallest, each line of the grid is ten times the one below. */
const WIDE = 60;

/** A picture of curves; `show([{name, points: [[step, loss], …]}, …], {steps, guide})` draws them. */
export function createCurve() {
  const picture = svg("svg", { class: "curve", role: "img", height: HEIGHT });
  const title = el("p", { class: "small faint", t: "curve.loss" });
  const legend = el("p", { class: "legend small row" });
  const element = el("figure", { class: "curve-figure" }, title, picture, legend);
  let shown = { series: [], options: {} };
  describe(picture, "curve.nothing");

  function draw() {
    const width = Math.max(240, element.clientWidth);
    const { series, options } = shown;
    picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    picture.setAttribute("width", width);
    const frame = framed(series, options, width);
    say(title, frame.isLog ? "curve.log" : "curve.loss");
    picture.replaceChildren(...grid(frame), ...guide(frame, options), ...series.map((one, place) => line(one, place, frame)));
  }

  new ResizeObserver(draw).observe(element);
  return {
    element,
    show(series, options = {}) {
      shown = { series, options };
      draw();
      legend.replaceChildren(...(series.length > 1 ? series.map(entry) : []));
      const points = series[0]?.points ?? [];
      if (!points.length) return describe(picture, "curve.nothing");
      const [[, first], [step, last]] = [points[0], points.at(-1)];
      describe(picture, "curve.said", { step, first: number(first, 3), last: number(last, 3) });
    },
  };
}

const entry = ({ name }, place) => el("span", { class: `key line-${place}` }, el("span", { t: name }));

/** Where everything lies: from step and loss to pixels. */
function framed(series, { steps, guide }, width) {
  const points = series.flatMap((one) => one.points);
  const losses = points.map(([, loss]) => loss).concat(guide ?? []);
  const most = steps ?? Math.max(1, ...points.map(([step]) => step));
  const positive = losses.filter((loss) => loss > 0);
  const [least, largest] = positive.length ? [Math.min(...positive), Math.max(...positive)] : [0, 1];
  const isLog = largest > WIDE * least;
  const [low, high] = isLog ? [Math.log10(least) - 0.1, Math.log10(largest) + 0.1] : [0, 1.08 * largest];
  const x = scale(0, most, LEFT, width - RIGHT);
  const height = scale(low, high, HEIGHT - BOTTOM, TOP);
  const y = (loss) => height(isLog ? Math.log10(Math.max(loss, 10 ** low)) : loss);
  return { x, y, low, high, most, isLog, width };
}

function grid({ x, y, low, high, most, isLog, width }) {
  const levels = isLog ? powers(Math.ceil(low), Math.floor(high)) : ticks(low, high, 4);
  const across = levels.flatMap((level) => [
    svg("line", { x1: LEFT, x2: width - RIGHT, y1: y(level), y2: y(level), class: "grid" }),
    svg("text", { x: LEFT - 6, y: y(level) + 4, "text-anchor": "end" }, number(level, 3)),
  ]);
  const below = ticks(0, most, width < 420 ? 3 : 5).map((step) => {
    const anchor = step === 0 ? "start" : step > 0.95 * most ? "end" : "middle";
    return svg("text", { x: x(step), y: HEIGHT - 8, "text-anchor": anchor }, number(step, 6));
  }); // the first and last stay inside
  return [...across, ...below];
}

const powers = (low, high) => ticks(low, high, Math.min(6, Math.max(1, high - low))).map((power) => 10 ** power);

/** The loss of a network that knows nothing. */
function guide({ x, y, most }, { guide: level }) {
  if (!level) return [];
  return [svg("line", { x1: x(0), x2: x(most), y1: y(level), y2: y(level), class: "guide" })];
}

function line({ points }, place, { x, y }) {
  const path = points.filter(([, loss]) => Number.isFinite(loss)).map(([step, loss]) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`);
  return svg("polyline", { points: path.join(" "), class: `line line-${place}` });
}
