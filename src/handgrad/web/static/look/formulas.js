// What the layer in question, the loss or the update computes, as formulas.

import { el, formula, mathematics } from "../dom.js";
import { register, t } from "../i18n.js";
import { noteOf } from "../notes.js";
import { shapeText } from "../shapes.js";
import { stepTitle } from "./stepper.js";
import { currentStep, stepAt } from "./steps.js";

register({
  en: {
    "formula.title": "Formulas",
    "formula.forward": "Forward",
    "formula.backward": "Backward, for {name}",
    "formula.shapes": "Shapes",
    "formula.here": "Here: {input} → {output}",
    "formula.bar": "The bar over a letter means: gradient of the loss with respect to it.",
  },
  zh: {
    "formula.title": "公式",
    "formula.forward": "前向",
    "formula.backward": "反向，对 {name}",
    "formula.shapes": "形状",
    "formula.here": "此处：{input} → {output}",
    "formula.bar": "字母上的横线表示：损失对它的梯度。",
  },
});

/** The card below the explanation of a number: of the layer that a step is in, or else of the one that made the number. */
export function mount(element, { store }) {
  const formulas = el("div", { class: "card stack formula-card" });
  element.append(formulas);

  function show() {
    const state = store.get();
    formulas.hidden = !state.network;
    if (!state.network) return;
    const { kind, layer: stepped } = stepAt(currentStep(state), state.network.layers.length);
    const layer = state.step === "" ? state.explained?.layer ?? null : stepped;
    const heading = el("h2", { t: "formula.title" });
    if (layer !== null) formulas.replaceChildren(heading, ...ofLayer(state.network.layers[layer]));
    else if (kind === "update" && state.step !== "") formulas.replaceChildren(heading, ...ofUpdate(state));
    else formulas.replaceChildren(heading, ...ofLoss(state.network));
  }

  store.subscribe(show, ["network", "step", "explained", "trace", "lang"]);
  show();
}

function ofLayer(layer) {
  const shape = t("formula.here", { input: shapeText(layer.input_shape), output: shapeText(layer.output_shape) });
  return [el("h3", {}, layer.title), el("p", { class: "small faint numbers" }, shape), ...stated(layer.formulas, layer.kind)];
}

function ofLoss(network) {
  return [el("h3", { t: "network.loss" }), ...stated(network.loss.formulas, network.loss.name)];
}

function ofUpdate(state) {
  const rule = state.trace?.about.optimizer?.formula ?? state.network.optimizer.formula;
  return [el("h3", {}, stepTitle({ kind: "update", layer: null }, state.network)), formula(rule)];
}

/** Formulas as a layer or a loss states them. */
function stated({ forward, backward, shapes, notes }, kind) {
  const rows = [];
  if (forward) rows.push(el("p", { class: "small faint", t: "formula.forward" }), formula(forward));
  for (const [name, given] of Object.entries(backward)) {
    rows.push(el("p", { class: "small faint", t: "formula.backward", values: { name } }), formula(given));
  }
  rows.push(el("p", { class: "small faint", t: "formula.bar" }));
  if (shapes.length) {
    const cells = shapes.map(({ letter, shape }) => el("span", { class: "shape" }, mathematics(letter.mathml), " ", mathematics(shape.mathml)));
    rows.push(el("p", { class: "small faint", t: "formula.shapes" }), el("p", { class: "row shapes" }, ...cells));
  }
  const note = noteOf(kind, notes);
  if (note) rows.push(el("p", { class: "small" }, note));
  return rows;
}
