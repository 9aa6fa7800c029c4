// What is said of one number: its formula, the numbers in it, what it was made from.

import { modelPath, postJSON } from "../api.js";
import { createCheck } from "./check.js";
import { announce, el, formula, latest, mathematics, number, scrolling } from "../dom.js";
import { register, t } from "../i18n.js";
import { ownerOf } from "./network.js";
import { cellOf, cellText, currentStep, isComputed, splitName } from "./steps.js";
import { situationOf } from "./trace.js";

register({
  en: {
    "cell.title": "One number",
    "cell.invite": "Choose any cell of a picture: here you see the formula that made it, with the real numbers in it, and the cells that it depends on stay lit.",
    "cell.activation": "activation",
    "cell.gradient": "gradient",
    "cell.parameter": "parameter",
    "cell.parameter_gradient": "gradient of a parameter",
    "cell.updated": "parameter after the update",
    "cell.probabilities": "probability",
    "cell.loss": "loss",
    "cell.input": "the input",
    "cell.place": "at [{index}]",
    "cell.rule": "Formula",
    "cell.numbers": "With numbers",
    "cell.parts": "The largest of {count} addends",
    "cell.parts.all": "The addends",
    "cell.rest": "{count} more",
    "cell.sum": "sum",
    "cell.close": "Close",
    "cell.details": "Where it comes from ↓",
    "cell.return": "↑ Back to the picture",
    "cell.see.gradient": "Its gradient",
    "cell.see.value": "Its value",
    "cell.see.updated": "Its update",
    "cell.remark.running": "Here the mean μ and the variance σ² are the running averages from training: in prediction they are constants.",
    "cell.remark.dropout": "In prediction nothing is dropped, so the numbers pass unchanged.",
    "cell.remark.not_largest": "This pixel is the largest of no window, so no gradient comes back to it.",
    "cell.given": "It was not computed: it is the input, or what training has learned.",
  },
  zh: {
    "cell.title": "一个数",
    "cell.invite": "点选图中任意一格：这里会显示得出它的公式和代入的真实数值，它所依赖的格子保持明亮。",
    "cell.activation": "激活值",
    "cell.gradient": "梯度",
    "cell.parameter": "参数",
    "cell.parameter_gradient": "参数的梯度",
    "cell.updated": "更新后的参数",
    "cell.probabilities": "概率",
    "cell.loss": "损失",
    "cell.input": "输入",
    "cell.place": "位于 [{index}]",
    "cell.rule": "公式",
    "cell.numbers": "代入数值",
    "cell.parts": "{count} 个加数中最大的几个",
    "cell.parts.all": "各个加数",
    "cell.rest": "其余 {count} 个",
    "cell.sum": "总和",
    "cell.close": "关闭",
    "cell.details": "它从哪里来 ↓",
    "cell.return": "↑ 回到图中",
    "cell.see.gradient": "它的梯度",
    "cell.see.value": "它的值",
    "cell.see.updated": "它的更新",
    "cell.remark.running": "这里的均值 μ 和方差 σ² 是训练时的滑动平均：预测时它们是常数。",
    "cell.remark.dropout": "预测时不丢弃任何单元，数值原样通过。",
    "cell.remark.not_largest": "这个像素在任何窗口里都不是最大值，所以没有梯度传回来。",
    "cell.given": "它不是算出来的：它是输入，或是训练学到的。",
  },
});

/** The panel beside the network. */
export function mount(element, page) {
  const { store, complain } = page;
  const said = el("div", { class: "card stack cell-card" });
  // Where the explanation stands below the layers, a line at the bottom says that there is one.
  const peekText = el("span", { class: "numbers" });
  const details = el("button", { class: "primary small", t: "cell.details", on: { click: () => said.scrollIntoView({ block: "start" }) } });
  const peek = el("div", { class: "peek", hidden: true }, peekText, details);
  element.append(said, peek);
  let told = ""; // which cell was spoken of last: its number may change every second
  new IntersectionObserver(([entry]) => peek.classList.toggle("idle", entry.isIntersecting)).observe(said);

  function showPeek(answer, network) {
    peek.hidden = answer === null;
    if (answer) peekText.textContent = summaryOf(answer, network);
  }

  const ask = latest(async () => {
    const state = store.get();
    const cell = cellOf(state.cell);
    if (!cell || !state.trace || !canBeAsked(cell.array, state)) {
      store.set({ explained: null });
      showInvitation();
      return;
    }
    try {
      const answer = await postJSON(modelPath(state.network.id, "cell"), { ...situationOf(state), ...cell });
      answer.lit = new Map(Object.entries(answer.sources).map(([array, places]) => [array, new Set(places)]));
      if (store.get().cell !== state.cell) return;
      store.set({ explained: answer });
      showCell(answer);
      if (told !== state.cell) announce(summaryOf(answer, state.network));
      told = state.cell;
    } catch (error) {
      store.set({ explained: null });
      showInvitation();
      if (error.status !== 400) complain(error); // a cell of another network, from an old address
    }
  });

  function canBeAsked(array, state) {
    const known = array in state.trace.about.shapes || (array === "loss" && state.trace.about.loss !== null);
    return known && isComputed(array, currentStep(state), state.network.layers.length, ownerOf(array, state.network));
  }

  function showInvitation() {
    said.replaceChildren(el("h2", { t: "cell.title" }), el("p", { class: "faint", t: "cell.invite" }));
    showPeek(null);
  }

  function showCell(answer) {
    const { network } = store.get();
    const close = el("button", { class: "quiet small", label: "cell.close", on: { click: () => store.set({ cell: "" }) } }, "×");
    const title = el("h2", { tabindex: "-1" }, titleOf(answer, network));
    const value = el("p", { class: "value numbers" }, number(answer.value, 6));
    const back = el("button", { class: "small return", t: "cell.return", on: { click: () => showPicture(answer.array) } });
    const parts = [back, el("div", { class: "row cell-head" }, title, close), value, others(answer)];
    if (answer.rule) parts.push(el("h3", { t: "cell.rule" }), formula(answer.rule));
    else parts.push(el("p", { class: "faint", t: "cell.given" }));
    if (answer.lines.some((line) => line.length > 1) && answer.rule) parts.push(el("h3", { t: "cell.numbers" }), chains(answer.lines));
    if (answer.remark) parts.push(el("p", { class: "faint small", t: `cell.remark.${answer.remark}` }));
    if (answer.parts.length > 1) parts.push(...addends(answer));
    if (splitName(answer.array)[0].endsWith("gradient")) parts.push(createCheck(answer.array, page));
    const focused = said.contains(document.activeElement);
    said.replaceChildren(...parts.filter(Boolean));
    if (focused) title.focus({ preventScroll: true });
    showPeek(answer, network);
  }

  /** The same place in the arrays that belong to this one. */
  function others({ array, index }) {
    const [kind, name] = splitName(array);
    const arrays = {
      activation: { "cell.see.gradient": `gradient.${name}` },
      gradient: { "cell.see.value": `activation.${name}` },
      parameter: { "cell.see.gradient": `parameter_gradient.${name}`, "cell.see.updated": `updated.${name}` },
      parameter_gradient: { "cell.see.value": `parameter.${name}`, "cell.see.updated": `updated.${name}` },
      updated: { "cell.see.value": `parameter.${name}`, "cell.see.gradient": `parameter_gradient.${name}` },
    }[kind] ?? {};
    const buttons = Object.entries(arrays).filter(([, other]) => canBeAsked(other, store.get())).map(
      ([key, other]) => el("button", { class: "small", t: key, on: { click: () => store.set({ cell: cellText(other, index) }) } }));
    return buttons.length ? el("div", { class: "row" }, ...buttons) : null;
  }

  function addends({ parts, rest, value }) {
    const largest = Math.max(...parts.map((part) => Math.abs(part.product)), Math.abs(rest.sum));
    const rows = parts.map((part) => el("tr", {},
      el("td", {}, ...part.factors.flatMap((factor, place) => [place ? " · " : null, link(factor)]),
        el("span", { class: "factors numbers faint" }, part.factors.map((factor) => number(factor.value, 3)).join(" · "))),
      amount(part.product, largest)));
    if (rest.count) rows.push(el("tr", { class: "faint" }, el("td", {}, t("cell.rest", { count: rest.count })), amount(rest.sum, largest)));
    rows.push(el("tr", { class: "total" }, el("td", { t: "cell.sum" }), amount(value, 0)));
    const title = rest.count ? "cell.parts" : "cell.parts.all";
    const values = { count: parts.length + rest.count };
    return [el("h3", { t: title, values }), scrolling(title, el("table", { class: "addends" }, el("tbody", {}, ...rows)), values)];
  }

  /** A factor's name; a click goes to the cell that it stands in. */
  function link(factor) {
    const symbol = mathematics(factor.symbol);
    if (!factor.array) return symbol;
    const go = () => store.set({ cell: cellText(factor.array, factor.index) });
    return el("button", { class: "factor", "aria-label": `${factor.array} [${factor.index.join(", ")}]`, on: { click: go } }, symbol);
  }

  store.subscribe(ask, ["cell", "trace", "step"]);
  store.subscribe(() => {
    if (store.get().explained) showCell(store.get().explained);
    else showInvitation();
  }, ["lang"]);
  showInvitation();
}

/** Bring the picture of an array into sight. */
function showPicture(array) {
  document.querySelector(`[data-array="${CSS.escape(array)}"]`)?.scrollIntoView({ block: "center" });
}

function titleOf({ array, index, layer }, network) {
  const [kind, name] = splitName(array);
  // The gradient of a layer's output stands in its card, though the layer behind it has sent it back.
  const maker = kind === "gradient" ? Number(name) - 1 : layer;
  const owner = maker === null ? (name === "0" ? t("cell.input") : name) : network.layers[maker]?.title ?? t("cell.input");
  const place = index.length ? t("cell.place", { index: index.join(", ") }) : "";
  const called = kind === "probabilities" && network.classes === null ? "network.outputs" : `cell.${kind}`;
  return [t(called), owner, place].filter(Boolean).join(" · ");
}

const summaryOf = (answer, network) => `${number(answer.value)} · ${titleOf(answer, network)}`;

/** Lines of equations, with the signs under one another. */
function chains(lines) {
  const rows = lines.flatMap((line) => line.slice(1).map((step, place) => el("tr", {},
    el("td", {}, place ? "" : mathematics(line[0])),
    el("td", { class: "sign" }, place === line.length - 2 && place > 0 ? "≈" : "="),
    el("td", {}, mathematics(step)))));
  return scrolling("cell.numbers", el("table", { class: "chain" }, el("tbody", {}, ...rows)));
}

/** A number over its bar, whose length shows how much of the largest it is. */
function amount(value, largest) {
  const cell = el("td", { class: value < 0 ? "numbers amount negative" : "numbers amount" }, number(value));
  cell.style.setProperty("--share", String(largest ? Math.abs(value) / largest : 0));
  return cell;
}
