// The buttons and sliders by which a training is steered while it runs.

import { debounced, el, number, percent } from "../dom.js";
import { register, t } from "../i18n.js";
import { command, isOver } from "../trainings.js";

register({
  en: {
    "train.none": "Nothing is being trained. Choose a recipe, change what you like, and train it.",
    "train.state.starting": "starting …",
    "train.state.running": "running",
    "train.state.paused": "paused",
    "train.state.ended": "ended",
    "train.state.failed": "failed",
    "train.saving": "saving, scoring and drawing pictures …",
    "train.compiling": "compiling kernels, once: {done} of {total}",
    "train.pause": "Pause",
    "train.resume": "Go on",
    "train.step": "One step",
    "train.epoch": "One epoch",
    "train.stop": "Stop",
    "train.longer": "Train longer",
    "train.progress": "step {step}, epoch {epoch} of {epochs}",
    "train.rate": "{rate} examples a second",
    "train.accuracy": "accuracy",
    "train.accuracy.validation": "on validation data",
    "train.accuracy.test": "on test data",
    "train.result": "{accuracy} on test data in the end.",
    "train.stopped": "Stopped. You can continue it here, or from the command line:",
    "train.sliders": "While it runs",
    "train.learning_rate": "Learning rate",
    "train.momentum": "Momentum",
    "train.dropout": "Dropout",
    "train.batch_size": "Batch size",
    "train.steps_per_second": "Pace",
    "train.steps_per_second.full": "no limit",
    "train.steps_per_second.steps": "{steps} steps/s",
    "train.postponed": "The batch size becomes {size} when this epoch ends.",
  },
  zh: {
    "train.none": "现在没有训练。选一个配方，按需修改，然后训练。",
    "train.state.starting": "正在启动……",
    "train.state.running": "运行中",
    "train.state.paused": "已暂停",
    "train.state.ended": "已结束",
    "train.state.failed": "失败",
    "train.saving": "正在保存、评分和绘图……",
    "train.compiling": "首次编译内核：{done} / {total}",
    "train.pause": "暂停",
    "train.resume": "继续",
    "train.step": "一步",
    "train.epoch": "一轮",
    "train.stop": "停止",
    "train.longer": "再训练一段",
    "train.progress": "第 {step} 步，第 {epoch} 轮（共 {epochs} 轮）",
    "train.rate": "每秒 {rate} 个样本",
    "train.accuracy": "准确率",
    "train.accuracy.validation": "（验证数据）",
    "train.accuracy.test": "（测试数据）",
    "train.result": "最终在测试数据上为 {accuracy}。",
    "train.stopped": "已停止。可以在这里或用命令行继续：",
    "train.sliders": "运行中可改",
    "train.learning_rate": "学习率",
    "train.momentum": "动量",
    "train.dropout": "随机失活",
    "train.batch_size": "批大小",
    "train.steps_per_second": "速度",
    "train.steps_per_second.full": "不限",
    "train.steps_per_second.steps": "{steps} 步/秒",
    "train.postponed": "本轮结束后批大小变为 {size}。",
  },
});

const BATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
const PACES = [1, 2, 5, 10, 20, 50, 100, 0]; // steps a second; 0 is no limit

/** Where the first is that is not below a value; the last, where all are. */
function placeAbove(values, value) {
  const place = values.findIndex((each) => each >= value);
  return place < 0 ? values.length - 1 : place;
}

/** From a slider's place to a setting, back, and as text. */
const SLIDERS = {
  learning_rate: { min: -6, max: 1, step: 0.05, value: (x) => Number((10 ** x).toPrecision(2)), place: Math.log10, text: (v) => number(v, 2) },
  momentum: { min: 0, max: 0.99, step: 0.01, value: (x) => x, place: (v) => v, text: (v) => number(v, 2) },
  dropout: { min: 0, max: 0.9, step: 0.05, value: (x) => x, place: (v) => v, text: (v) => percent(v, 0) },
  batch_size: {
    min: 0, max: BATCHES.length - 1, step: 1,
    value: (x) => BATCHES[x],
    place: (v) => placeAbove(BATCHES, v),
    text: (v) => v.toLocaleString("en"),
  },
  steps_per_second: {
    min: 0, max: PACES.length - 1, step: 1,
    value: (x) => PACES[x],
    place: (v) => (v ? placeAbove(PACES.slice(0, -1), v) : PACES.length - 1),
    text: (v) => (v ? t("train.steps_per_second.steps", { steps: v }) : t("train.steps_per_second.full")),
  },
};

/** The panel; `longer` goes on with a training that is over. */
export function createControls(page, longer) {
  let training = null;
  const ask = async (word, values) => {
    try {
      await command(training.name, word, values);
    } catch (error) {
      page.complain(error);
    }
  };
  const button = (word, press, options = {}) => el("button", { t: `train.${word}`, on: { click: press }, ...options });
  const buttons = {
    toggle: button("pause", () => ask(training.state === "paused" ? "resume" : "pause"), { class: "primary" }),
    step: button("step", () => ask("step")),
    epoch: button("epoch", () => ask("epoch")),
    stop: button("stop", () => ask("stop")),
    longer: button("longer", () => longer(training), { class: "primary" }),
  };
  const state = el("span", { class: "pill" });
  const name = el("span", { class: "faint small run-name" });
  const progress = el("p", { class: "numbers" });
  const bar = el("progress", { max: 1, value: 0, label: "train.sliders" });
  const accuracy = el("p", { class: "accuracy numbers", hidden: true });
  const note = el("p", { class: "small note", role: "status" });
  const sliders = Object.keys(SLIDERS).map((setting) => createSlider(setting, (value) => send(setting, value)));
  let moved = {}; // settings that were not sent yet
  const sendAll = debounced(120, () => {
    const values = moved;
    moved = {};
    if (training) ask("set", values);
  });
  const send = (setting, value) => {
    moved[setting] = value;
    sendAll();
  };
  const live = el("fieldset", { class: "sliders" }, el("legend", { t: "train.sliders" }), sliders.map((each) => each.element));
  const none = el("p", { class: "faint", t: "train.none" });
  const running = el(
    "div", { class: "stack" },
    el("div", { class: "row" }, state, name), accuracy, progress, bar,
    el("div", { class: "row" }, Object.values(buttons)), note, live,
  );

  function show(now) {
    training = now;
    none.hidden = Boolean(now);
    running.hidden = !now;
    if (!now) return;
    const over = isOver(now.state);
    const ready = Boolean(now.started);
    state.textContent = t(`train.state.${now.state}`);
    state.className = `pill ${now.state}`;
    name.textContent = now.name;
    for (const [word, each] of Object.entries(buttons)) each.hidden = over !== (word === "longer");
    buttons.longer.hidden = !over || !ready;
    for (const each of Object.values(buttons)) each.disabled = !ready || now.saving;
    const word = now.state === "paused" ? "train.resume" : "train.pause";
    Object.assign(buttons.toggle, { textContent: t(word) }).dataset.t = word;
    live.hidden = over || !ready;
    showProgress(now);
    showNote(now);
    if (ready) for (const slider of sliders) slider.show(now.started.settings[slider.setting]);
  }

  function showProgress({ step, started, epoch }) {
    const total = started ? started.steps_per_epoch * started.epochs : 1;
    const taken = step?.number ?? started?.step ?? 0;
    bar.value = Math.min(1, taken / total);
    const values = { step: taken.toLocaleString("en"), epoch: step?.epoch ?? 1, epochs: started?.epochs ?? "" };
    const rate = step ? ` · ${t("train.rate", { rate: Math.round(step.examples_per_second).toLocaleString("en") })}` : "";
    progress.textContent = started ? t("train.progress", values) + rate : "";
    bar.setAttribute("aria-label", progress.textContent || t("train.sliders"));
    const [data, scores] = Object.entries(epoch?.scores ?? {})[0] ?? [];
    accuracy.hidden = !scores || !started?.classes;
    if (!accuracy.hidden) {
      accuracy.replaceChildren(
        el("strong", {}, percent(scores.accuracy, 2)), " ", el("span", { class: "faint small" }, t("train.accuracy") + " " + t(`train.accuracy.${data}`)),
      );
    }
  }

  function showNote({ state: now, saving, compiling, postponed, ended, message, warnings }) {
    const said = [...warnings];
    if (now === "failed") said.push(message);
    if (saving) said.push(t("train.saving"));
    if (compiling && now === "running") said.push(t("train.compiling", compiling));
    if (postponed && now !== "ended") said.push(t("train.postponed", { size: postponed.batch_size }));
    if (ended?.result.test_accuracy !== undefined && ended.stopped_by !== "request") {
      said.push(t("train.result", { accuracy: percent(ended.result.test_accuracy, 2) }));
    }
    note.replaceChildren(...said.map((sentence) => el("span", {}, sentence)));
    if (ended?.stopped_by === "request") {
      note.append(el("span", {}, t("train.stopped")), el("code", {}, ended.way_on.split(": ").at(-1)));
    }
    note.classList.toggle("bad", now === "failed");
  }

  return { element: el("section", { class: "card stack controls" }, none, running), show };
}

function createSlider(setting, changed) {
  const { min, max, step, value, place, text } = SLIDERS[setting];
  const id = `train-${setting}`;
  const input = el("input", { id, type: "range", min: String(min), max: String(max), step: String(step) });
  const shown = el("output", { class: "numbers", for: id });
  const element = el("div", { class: "slider" }, el("label", { t: `train.${setting}`, for: id }), input, shown);
  let touched = 0;
  const write = (now) => {
    shown.textContent = text(now);
    input.setAttribute("aria-valuetext", text(now));
  };
  input.addEventListener("input", () => {
    touched = Date.now();
    write(value(Number(input.value)));
    changed(value(Number(input.value)));
  });
  return {
    element,
    setting,
    /** Show the setting as it is, unless it is being moved; null where the network has no such setting. */
    show(now) {
      element.hidden = now === null;
      if (now === null || Date.now() - touched <= 1500) return;
      input.value = String(place(now));
      write(now);
    },
  };
}
