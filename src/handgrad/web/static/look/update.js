// The update: which optimizer, at which rate, how often; and what it does to the loss of this one example.

import { el, formula, number, offer } from "../dom.js";
import { register, t } from "../i18n.js";
import { currentStep, lastStep } from "./steps.js";
import { MOST, MOST_UPDATES, optimizerOf, updatesOf } from "./trace.js";

register({
  en: {
    "update.title": "The update",
    "update.optimizer": "Optimizer",
    "update.recipe": "the recipe's, {name}",
    "update.rate": "Learning rate η",
    "update.make": "Make this update",
    "update.reset": "Take all back",
    "update.loss": "L = {loss} after {count} updates on this one example",
    "update.loss.one": "L = {loss} after one update on this one example",
    "update.loss.none": "L = {loss} before any update",
    "update.hint": "Open the weights of a layer and choose a cell of “change”: there the update stands with its numbers.",
    "update.most": "No more updates are made here; to go further, train a network.",
    "update.need": "Choose the true label: an update needs a gradient.",
  },
  zh: {
    "update.title": "更新",
    "update.optimizer": "优化器",
    "update.recipe": "配方所用的 {name}",
    "update.rate": "学习率 η",
    "update.make": "执行这次更新",
    "update.reset": "全部撤销",
    "update.loss": "在这一个例子上更新 {count} 次后，L = {loss}",
    "update.loss.one": "在这一个例子上更新一次后，L = {loss}",
    "update.loss.none": "尚未更新，L = {loss}",
    "update.hint": "展开某层的权重，点选“改变”图中的一格：那里有代入数值的更新公式。",
    "update.most": "这里不再继续更新：请改用训练。",
    "update.need": "请选择真实标签：更新需要梯度。",
  },
});

/** How the formulas call what an optimizer is set to. */
const LETTERS = { learning_rate: "η", momentum: "μ", weight_decay: "λ", beta1: "β₁", beta2: "β₂", alpha: "α", epsilon: "ε" };

const settingsText = (settings) => Object.entries(LETTERS).filter(([name]) => name in settings)
  .map(([name, letter]) => `${letter} = ${number(settings[name])}`).join(", ");

/** The card below the loss. */
export function mount(element, { store }) {
  const optimizer = el("select", { id: "optimizer", on: { change: () => choose() } });
  const rate = el("input", { type: "number", id: "rate", min: "0.000001", max: String(MOST), step: "any", on: { change: () => rate.reportValidity() && choose() } });
  const make = el("button", { class: "primary", t: "update.make", on: { click: () => count(updatesOf(store.get()) + 1) } });
  const reset = el("button", { t: "update.reset", on: { click: () => count(0) } });
  const loss = el("p", { class: "numbers", role: "status" });
  const rule = el("div", {});
  const settings = el("p", { class: "small faint numbers" });
  const most = el("p", { class: "small faint", t: "update.most", hidden: true });
  const body = el("div", { class: "stack" },
    el("div", { class: "row" }, el("label", { for: "optimizer", t: "update.optimizer" }), optimizer,
      el("label", { for: "rate", t: "update.rate" }), rate),
    rule, settings, el("div", { class: "row" }, make, reset, loss), most, el("p", { class: "small faint", t: "update.hint" }));
  const needed = el("p", { class: "faint", t: "update.need" });
  const card = el("div", { class: "card stack update-card", hidden: true }, el("h3", { t: "update.title" }), needed, body);
  element.append(card);

  function choose() {
    const name = optimizer.value;
    if (name === "") store.set({ optimizer: "", updates: "0" });
    else store.set({ optimizer: `${name},${Number(rate.value) > 0 ? rate.value : 0.01}`, updates: "0" });
  }

  const count = (updates) => store.set({ updates: String(Math.min(MOST_UPDATES, updates)) });

  function options() {
    const { network } = store.get();
    offer(optimizer, [
      el("option", { value: "" }, t("update.recipe", { name: network.optimizer.name })),
      el("option", { value: "sgd" }, "SGD"),
      el("option", { value: "adam" }, "Adam"),
    ]);
  }

  function show() {
    const state = store.get();
    card.hidden = !state.trace;
    if (!state.trace) return;
    const isKnown = state.label !== "";
    [needed.hidden, body.hidden] = [isKnown, !isKnown];
    if (!isKnown) return;
    options();
    const chosen = optimizerOf(state.optimizer);
    optimizer.value = chosen?.name ?? "";
    rate.disabled = !chosen;
    if (document.activeElement !== rate) rate.value = String(chosen?.learning_rate ?? state.network.optimizer.settings.learning_rate);
    const about = state.trace.about;
    if (about.optimizer) rule.replaceChildren(formula(about.optimizer.formula));
    const updates = updatesOf(state);
    make.disabled = updates >= MOST_UPDATES || about.loss === null;
    reset.disabled = updates === 0;
    most.hidden = updates < MOST_UPDATES;
    settings.textContent = about.optimizer ? settingsText(about.optimizer.settings) : "";
    loss.textContent = t(["update.loss.none", "update.loss.one"][updates] ?? "update.loss", { loss: number(about.loss), count: updates });
    card.classList.toggle("current", state.step !== "" && currentStep(state) === lastStep(state.network.layers.length));
  }

  store.subscribe(show, ["trace", "step", "lang"]);
  show();
}
