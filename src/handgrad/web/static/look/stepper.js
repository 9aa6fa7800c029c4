// Going through a pass step by step, both ways.

import { announce, el } from "../dom.js";
import { register, t } from "../i18n.js";
import { currentStep, lastStep, stepAt } from "./steps.js";

register({
  en: {
    "step.title": "Step through",
    "step.first": "Back to the input",
    "step.back": "One step back",
    "step.on": "One step on",
    "step.last": "To the end",
    "step.slider": "Step",
    "step.of": "Step {number} of {last}",
    "step.input": "The input",
    "step.forward": "Forward through {layer}",
    "step.loss": "The loss",
    "step.backward": "Backward through {layer}",
    "step.update": "The update",
    "step.part.input": "Input",
    "step.part.forward": "Forward",
    "step.part.loss": "Loss",
    "step.part.backward": "Backward",
    "step.part.update": "Update",
    "step.need": "Choose the true label to go on: without it there is no loss, and no gradient.",
  },
  zh: {
    "step.title": "逐步查看",
    "step.first": "回到输入",
    "step.back": "后退一步",
    "step.on": "前进一步",
    "step.last": "到最后",
    "step.slider": "步骤",
    "step.of": "第 {number} 步，共 {last} 步",
    "step.input": "输入",
    "step.forward": "前向通过 {layer}",
    "step.loss": "损失",
    "step.backward": "反向通过 {layer}",
    "step.update": "更新",
    "step.part.input": "输入",
    "step.part.forward": "前向",
    "step.part.loss": "损失",
    "step.part.backward": "反向",
    "step.part.update": "更新",
    "step.need": "请选择真实标签再继续：没有它就没有损失，也没有梯度。",
  },
});

/** The name of a step in words. */
export function stepTitle({ kind, layer }, network) {
  return t(`step.${kind}`, { layer: layer === null ? "" : network.layers[layer].title });
}

/** Buttons, a slider, and the parts of the pass, in a bar that stays in sight. */
export function mount(element, { store }) {
  const button = (key, sign, go) => el("button", { label: key, on: { click: () => go() } }, sign);
  const first = button("step.first", "«", () => goTo(0));
  const back = button("step.back", "‹", () => goTo(now() - 1));
  const on = button("step.on", "›", () => goTo(now() + 1));
  const last = button("step.last", "»", () => goTo(most()));
  const slider = el("input", { type: "range", min: "0", label: "step.slider", on: { input: () => goTo(Number(slider.value)) } });
  const parts = el("div", { class: "parts" });
  const title = el("p", { class: "step-title" });
  const bar = el("div", { class: "stepper card", role: "group", "aria-labelledby": "stepper-title" },
    el("div", { class: "row controls" }, el("h2", { id: "stepper-title", t: "step.title" }), first, back, on, last, slider),
    parts, title);
  element.append(bar);

  const now = () => currentStep(store.get());
  // Without a label the pass ends where the loss would begin.
  const most = () => (store.get().label === "" ? store.get().network.layers.length : lastStep(store.get().network.layers.length));

  function goTo(number) {
    if (!store.get().network) return;
    const step = Math.max(0, Math.min(most(), number));
    store.set({ step: String(step) });
    announce(title.textContent);
  }

  function show() {
    const state = store.get();
    bar.hidden = !state.network;
    if (!state.network) return;
    const layers = state.network.layers.length;
    const step = Math.min(now(), most());
    slider.max = String(lastStep(layers));
    slider.value = String(step);
    slider.setAttribute("aria-valuetext", stepTitle(stepAt(step, layers), state.network));
    first.disabled = back.disabled = step === 0;
    on.disabled = last.disabled = step === most();
    const number = t("step.of", { number: step, last: lastStep(layers) });
    title.textContent = `${number} · ${stepTitle(stepAt(step, layers), state.network)}`;
    if (state.label === "" && step === most()) title.textContent += ` — ${t("step.need")}`;
    showParts(layers, step);
  }

  function showParts(layers, step) {
    const starts = { input: 0, forward: 1, loss: layers + 1, backward: layers + 2, update: 2 * layers + 2 };
    parts.replaceChildren(...Object.entries(starts).map(([kind, start]) => el("button", {
      class: "small",
      t: `step.part.${kind}`,
      "aria-pressed": String(stepAt(step, layers).kind === kind),
      disabled: start > most(),
      on: { click: () => goTo(start) },
    })));
  }

  store.subscribe(show, ["step", "network", "label", "lang"]);
  show();
}
