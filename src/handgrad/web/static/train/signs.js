// How the layers fare: the length of their gradients, how far a step moves them, and units that no longer answer.

import { el, number, percent, scrolling } from "../dom.js";
import { register } from "../i18n.js";

register({
  en: {
    "signs.title": "Layers",
    "signs.layer": "Layer",
    "signs.gradient": "Gradient",
    "signs.update": "Update / weight",
    "signs.dead": "Dead units",
    "signs.help": "Length of each layer's gradient on 128 training examples; how far the last step moved its weights relative to their length, where about 0.001 is healthy; the share of ReLUs that are 0 for all of these examples.",
    "signs.nothing": "Comes with the first steps.",
  },
  zh: {
    "signs.title": "各层",
    "signs.layer": "层",
    "signs.gradient": "梯度",
    "signs.update": "更新 / 权重",
    "signs.dead": "死亡单元",
    "signs.help": "各层在 128 个训练样本上的梯度长度；上一步相对于权重长度移动了多少（约 0.001 为宜）；对所有这些样本都为 0 的 ReLU 所占比例。",
    "signs.nothing": "训练几步后出现。",
  },
});

/** From a number to a bar's length: from a millionth to 10 or 1, each tenth as long as the next. */
const logarithm = (low, high) => (value) => Math.max(0, Math.min(1, (Math.log10(value || 1e-30) - low) / (high - low)));
const LENGTHS = { gradient: logarithm(-4, 1.5), update: logarithm(-6, 0), dead: (value) => value };
const [HEALTHY_LEAST, HEALTHY_MOST] = [1e-4, 1e-1]; // as handgrad doctor has it
const MANY_DEAD = 0.4;

/** The panel. */
export function createSigns() {
  const body = el("tbody");
  const head = ["layer", "gradient", "update", "dead"].map((name) => el("th", { scope: "col", t: `signs.${name}` }));
  const table = el("table", { class: "signs numbers small" }, el("thead", {}, el("tr", {}, head)), body);
  const nothing = el("p", { class: "small faint", t: "signs.nothing" });
  const help = el("p", { class: "small faint", t: "signs.help" });
  return {
    element: el("section", { class: "card stack" }, el("h2", { t: "signs.title" }), nothing, scrolling("signs.title", table), help),
    show(signals) {
      nothing.hidden = Boolean(signals);
      table.hidden = help.hidden = !signals;
      if (signals) body.replaceChildren(...signals.layers.map(row));
    },
  };
}

function row({ name, kind, gradient_norm: gradient, update_ratio: update, dead }) {
  const unhealthy = update !== null && update > 0 && (update < HEALTHY_LEAST || update > HEALTHY_MOST);
  return el(
    "tr", {},
    el("th", { scope: "row" }, `${name} ${kind}`),
    cell("gradient", gradient, number(gradient, 2)),
    cell("update", update, number(update, 2), unhealthy),
    cell("dead", dead, dead === null ? "" : percent(dead, 0), dead > MANY_DEAD),
  );
}

function cell(kind, value, text, bad = false) {
  if (value === null) return el("td");
  const bar = el("span", { class: `bar${bad ? " unhealthy" : ""}`, "aria-hidden": "true" });
  bar.style.width = `${100 * LENGTHS[kind](value)}%`;
  return el("td", {}, el("span", { class: "track", "aria-hidden": "true" }, bar), el("span", {}, bad ? `${text} !` : text));
}
