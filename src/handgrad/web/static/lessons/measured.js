// What the server measured of a lesson's network: asked for, waited for, and shown.

import { getArrays } from "../api.js";
import { el, number, percent, scrolling } from "../dom.js";
import { describe, register, say } from "../i18n.js";
import { svg } from "../svg.js";

register({
  en: {
    "measured.layer": "layer",
    "measured.size": "size of its outputs",
    "measured.idle": "units that pass nothing back",
    "measured.gradient": "length of its gradient",
    "measured.input": "input",
    "measured.reading": "Each cell: before training → after it. Size is the root mean square over {count} training images. Of ReLUs, those that are 0 for every image pass nothing back; of sigmoids, outputs within 1 % of an end.",
    "measured.first": "first loss",
    "measured.train": "right on training images",
    "measured.test": "right on test images",
    "measured.layers": "What flows through the layers",
    "measured.confusion": "What the test images were taken for",
    "measured.truth": "true digit downwards, answer to the right",
    "measured.confusion.said": "Table of true digits and answers. The network answers {digit} most often, to {share} of {count} images.",
    "measured.working": "Training, which takes a few seconds …",
    "measured.done": "Trained in {seconds} s.",
  },
  zh: {
    "measured.layer": "层",
    "measured.size": "输出的大小",
    "measured.idle": "不回传梯度的单元",
    "measured.gradient": "梯度的长度",
    "measured.input": "输入",
    "measured.reading": "每格：训练前 → 训练后。大小是在 {count} 张训练图上的均方根。对 ReLU，在每张图上都是 0 的单元不回传梯度；对 sigmoid，则是离两端不到 1 % 的输出。",
    "measured.first": "最初的损失",
    "measured.train": "训练图答对",
    "measured.test": "测试图答对",
    "measured.layers": "各层里流过的东西",
    "measured.confusion": "测试图被当成了什么",
    "measured.truth": "向下是真实数字，向右是回答",
    "measured.confusion.said": "真实数字与回答的表。网络最常回答 {digit}，占 {count} 张图中的 {share}。",
    "measured.working": "正在训练，需要几秒……",
    "measured.done": "训练用了 {seconds} 秒。",
  },
});

/** Seconds between two requests while the server measures something else, and how often it is asked. */
const [AGAIN, TIMES] = [1, 60];

/** {about, arrays} of one of the networks of a lesson; waits while the server is busy with another. */
export async function measure(lesson, variant) {
  for (let time = 1; ; time++) {
    try {
      return await getArrays(`/api/lessons/${lesson}/${variant}`);
    } catch (error) {
      if (error.status !== 429 || time === TIMES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000 * AGAIN));
    }
  }
}

/** Pairs [step, loss] of a measured curve. */
export function pointsOf({ arrays: { losses } }) {
  return Array.from({ length: losses.shape[0] }, (_, row) => [losses.data[2 * row], losses.data[2 * row + 1]]);
}

/** First loss and accuracies, a large number each; of several networks one below the other. */
export function figures(networks, names = []) {
  const rows = [
    ["measured.first", (about) => number(about.first_loss, 3)],
    ["measured.train", (about) => percent(about.scores.train.accuracy)],
    ["measured.test", (about) => percent(about.scores.test.accuracy)],
  ];
  const value = (write) => networks.map(({ about }, place) =>
    el("dd", { class: `numbers line-${place}` }, names.length ? el("span", { class: "small faint", t: names[place] }) : null, el("span", {}, write(about))));
  return el("dl", { class: "figures" }, ...rows.map(([key, write]) => el("div", {}, el("dt", { class: "small faint", t: key }), ...value(write))));
}

/** A row for each layer, every number before → after training. */
export function layerTable({ about }) {
  const head = ["measured.layer", "measured.size", "measured.idle", "measured.gradient"].map((key) => el("th", { scope: "col", t: key }));
  const input = el("tr", {}, el("th", { scope: "row", t: "measured.input" }), el("td", {}, number(about.input.size, 3)), el("td"), el("td"));
  const body = el("tbody", {}, input, ...about.layers.map(layerRow));
  const table = el("table", { class: "layer-table numbers small" }, el("thead", {}, el("tr", {}, ...head)), body);
  const reading = el("p", { class: "small faint", t: "measured.reading", values: { count: about.looked_at } });
  return el("div", { class: "stack" }, el("h3", { t: "measured.layers" }), scrolling("measured.layers", table), reading);
}

function layerRow({ before, after }) {
  const cells = [
    [before.size, after.size, (value) => number(value, 3)],
    [before.idle, after.idle, (value) => percent(value, 0)],
    [before.gradient, after.gradient, (value) => number(value, 2)],
  ].map(([was, now, write]) => el("td", {}, was === null ? "" : `${write(was)} → ${write(now)}`));
  return el("tr", {}, el("th", { scope: "row" }, before.title), ...cells);
}

/** Ten by ten squares, the darker the more often. */
export function confusionTable({ about, arrays: { confusion } }) {
  const side = 24;
  const picture = svg("svg", { class: "confusion", viewBox: `0 0 ${11 * side} ${11 * side}`, role: "img" });
  const answered = Array.from({ length: 10 }, (_, column) => sum(confusion.data, (place) => place % 10 === column));
  for (let digit = 0; digit < 10; digit++) {
    const middle = side * (digit + 1.5);
    const [above, beside] = [{ x: middle, y: 0.65 * side }, { x: 0.5 * side, y: middle + 4 }];
    picture.append(...[above, beside].map((at) => svg("text", { ...at, "text-anchor": "middle" }, String(digit))));
    const row = sum(confusion.data, (place) => Math.floor(place / 10) === digit);
    for (let column = 0; column < 10; column++) {
      const share = confusion.data[10 * digit + column] / (row || 1);
      const square = { x: side * (column + 1), y: side * (digit + 1), width: side - 2, height: side - 2 };
      picture.append(svg("rect", { ...square, class: "cell", "fill-opacity": (0.06 + 0.94 * share).toFixed(3) }));
    }
  }
  const most = answered.indexOf(Math.max(...answered));
  const count = about.scores.test.count;
  describe(picture, "measured.confusion.said", { digit: most, share: percent(answered[most] / count, 0), count });
  return el("div", { class: "stack" }, el("h3", { t: "measured.confusion" }), picture, el("p", { class: "small faint", t: "measured.truth" }));
}

const sum = (numbers, chosen) => numbers.reduce((total, value, place) => total + (chosen(place) ? value : 0), 0);

/** A button that measures, and a line that says how it stands. */
export function createMeasuring(key, action, complain) {
  const status = el("p", { class: "small faint", role: "status" });
  const button = el("button", { class: "primary", t: key, on: { click: run } });
  async function run() {
    button.disabled = true;
    say(status, "measured.working");
    try {
      const seconds = await action();
      say(status, "measured.done", { seconds: number(seconds, 2) });
    } catch (error) {
      delete status.dataset.t;
      status.textContent = "";
      button.disabled = false;
      complain(error);
    }
  }
  return { element: el("div", { class: "row" }, button, status) };
}
