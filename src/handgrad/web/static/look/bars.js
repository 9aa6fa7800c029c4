// What the network says: a bar for each class, and the class that has the longest.

import { announce, debounced, el, number, percent } from "../dom.js";
import { className, withArticle } from "../example.js";
import { register, say, t } from "../i18n.js";

register({
  en: {
    "bars.title": "The network says",
    "bars.nothing": "nothing yet",
    "bars.spoken": "The network says {label}, with {percent}.",
    "bars.right": "✓ right",
    "bars.wrong": "✗ it is {article}",
    "bars.untrained": "This network has not learned anything yet, so it guesses. Choose a run above, or train one.",
    "bars.numbers": "{numbers}",
    "bars.best": ", most probable",
    "bars.class": "Class",
    "bars.probability": "Probability",
  },
  zh: {
    "bars.title": "网络说",
    "bars.nothing": "还没有回答",
    "bars.spoken": "网络说 {label}，概率 {percent}。",
    "bars.right": "✓ 对",
    "bars.wrong": "✗ 应是 {label}",
    "bars.untrained": "这个网络还什么都没学过，只是在猜。请在上方选一个运行记录，或训练一个。",
    "bars.numbers": "{numbers}",
    "bars.best": "，概率最大",
    "bars.class": "类别",
    "bars.probability": "概率",
  },
});

/** Bars for any number of classes; `show` changes them in place, since it is called for every move of the pen. */
export function createBars() {
  const verdict = el("p", { class: "verdict" });
  const judgement = el("p", { class: "judgement small" });
  const note = el("p", { class: "faint small", t: "bars.untrained" });
  const body = el("tbody");
  const head = el("tr", {}, el("th", { t: "bars.class" }), el("th", { t: "bars.probability" }));
  const table = el("table", { class: "bars numbers", label: "bars.title" }, el("thead", { class: "visually-hidden" }, head), body);
  const title = el("h2", { t: "bars.title" });
  const speak = debounced(700, (values) => announce(t("bars.spoken", values)));
  let rows = [];
  let spoken = ""; // of which example which answer

  function count(classes) {
    if (rows.length === classes) return;
    rows = Array.from({ length: classes }, createRow);
    body.replaceChildren(...rows.map((row) => row.element));
  }

  return {
    element: el("div", { class: "stack" }, el("div", { class: "row answer" }, title, verdict, judgement), table, note),
    /**
     * Probabilities of a model, or its outputs where it does not tell classes apart, or null where there are none yet;
     * the true class, or "" where nobody knows it; and which example it is.
     */
    show(outputs, model, label, example) {
      count(outputs?.length ?? model.classes ?? 0);
      const best = outputs && model.classes !== null ? outputs.indexOf(Math.max(...outputs)) : -1;
      const format = model.classes === null ? number : percent;
      rows.forEach((row, index) => row.show(className(model, index), outputs?.[index], index === best, format));
      table.hidden = !rows.length;
      note.hidden = model.trained || model.classes === null;
      judgement.hidden = best < 0 || label === "";
      verdict.classList.toggle("nothing", !outputs);
      if (!outputs) say(verdict, "bars.nothing");
      else say(verdict, "bars.numbers", { numbers: best < 0 ? outputs.map((output) => number(output)).join(", ") : className(model, best) });
      if (!judgement.hidden) judge(judgement, label === String(best), className(model, label));
      const now = best < 0 ? "" : `${best} ${example}`;
      if (now && now !== spoken) speak({ label: className(model, best), percent: percent(outputs[best]) });
      spoken = now;
    },
  };
}

function judge(judgement, right, label) {
  say(judgement, right ? "bars.right" : "bars.wrong", { label, article: withArticle(label) });
  judgement.classList.toggle("right", right);
}

function createRow() {
  const mark = el("span", { class: "mark", "aria-hidden": "true" });
  const spoken = el("span", { class: "visually-hidden", t: "bars.best", hidden: true });
  const bar = el("span", { class: "bar", "aria-hidden": "true" });
  const share = el("span", { class: "share" });
  const text = el("span");
  const name = el("th", { scope: "row" }, mark, text, spoken);
  return {
    element: el("tr", {}, name, el("td", {}, el("span", { class: "track" }, bar), share)),
    show(called, output, wins, format) {
      text.textContent = called;
      const row = name.parentElement;
      bar.style.setProperty("--share", String(Math.min(1, Math.max(0, output ?? 0))));
      share.textContent = output === undefined ? "–" : format(output);
      row.classList.toggle("wins", wins);
      mark.textContent = wins ? "▸" : "";
      spoken.hidden = !wins;
    },
  };
}
