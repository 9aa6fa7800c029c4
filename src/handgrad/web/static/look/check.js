// Whether a gradient is right: beside slopes that the server measures by moving one number after another.

import { modelPath, postArrays } from "../api.js";
import { announce, el, number } from "../dom.js";
import { register, t } from "../i18n.js";
import { svg } from "../svg.js";
import { situationOf } from "./trace.js";

register({
  en: {
    "check.run": "Check this gradient numerically",
    "check.checking": "Moving one number after another …",
    "check.right": "Right: backward and measured slope agree.",
    "check.wrong": "Wrong: backward and measured slope differ.",
    "check.compared": "{compared} of {size} numbers compared; largest relative difference {error}",
    "check.kinks": "{count} lie on a kink, where there is no slope",
    "check.worst": "worst at [{index}]: {analytic} by backward, {numeric} measured",
    "check.scatter": "Each point is a number: by backward from left to right, measured from bottom to top. All on the diagonal means right.",
  },
  zh: {
    "check.run": "用数值方法检验这个梯度",
    "check.checking": "正在逐个移动数值……",
    "check.right": "正确：反向传播与测得的斜率一致。",
    "check.wrong": "错误：反向传播与测得的斜率不同。",
    "check.compared": "比较了 {size} 个数中的 {compared} 个；最大相对差 {error}",
    "check.kinks": "{count} 个落在折点上，那里没有斜率",
    "check.worst": "最差处 [{index}]：反向传播得 {analytic}，测得 {numeric}",
    "check.scatter": "每个点是一个数：横向为反向传播的结果，纵向为测得的斜率。全在对角线上就是正确。",
  },
});

/** A button that checks an array, with room for what comes of it. */
export function createCheck(array, { store, complain }) {
  const result = el("div", { class: "stack check-result" });
  const button = el("button", { class: "primary", t: "check.run", on: { click: () => run() } });

  async function run() {
    button.disabled = true;
    result.replaceChildren(el("p", { class: "faint", t: "check.checking" }));
    try {
      const state = store.get();
      const answer = await postArrays(modelPath(state.network.id, "check"), { ...situationOf(state), array });
      result.replaceChildren(...verdict(answer));
      announce(result.firstChild.textContent);
    } catch (error) {
      result.replaceChildren();
      complain(error);
    } finally {
      button.disabled = false;
    }
  }

  return el("div", { class: "stack" }, button, result);
}

function verdict({ about, arrays }) {
  const { passed, compared, size, error, kinks, worst } = about;
  const facts = [t("check.compared", { compared: compared.toLocaleString("en"), size: size.toLocaleString("en"), error: number(error, 3) })];
  if (kinks) facts.push(t("check.kinks", { count: kinks }));
  if (worst.index.length || compared) {
    facts.push(t("check.worst", { index: worst.index.join(", "), analytic: number(worst.analytic, 7), numeric: number(worst.numeric, 7) }));
  }
  const sentence = el("p", { class: passed ? "good" : "bad" }, `${passed ? "✓" : "✗"} ${t(passed ? "check.right" : "check.wrong")}`);
  return [sentence, ...facts.map((fact) => el("p", { class: "small numbers" }, fact)), scatter(arrays)];
}

/** Analytic against numeric, every compared number a point. */
function scatter({ analytic, numeric }) {
  const side = 220;
  const pairs = [...analytic.data].map((value, place) => [value, numeric.data[place]]).filter((pair) => pair.every(Number.isFinite));
  const most = pairs.flat().reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-30);
  const at = (value) => (((value / most) * 0.46 + 0.5) * side).toFixed(1);
  const axes = `M0 ${side}L${side} 0M${side / 2} 0V${side}M0 ${side / 2}H${side}`;
  const points = pairs.map(([a, n]) => `M${at(a)} ${at(-n)}h0`).join(""); // lines of no length, with round ends
  const picture = svg("svg", { class: "scatter", viewBox: `0 0 ${side} ${side}`, role: "img", "aria-label": t("check.scatter") },
    svg("path", { class: "axes", d: axes }), svg("path", { class: "points", d: points }));
  return el("figure", { class: "scatter-figure" }, picture, el("figcaption", { class: "small faint" }, t("check.scatter")));
}
