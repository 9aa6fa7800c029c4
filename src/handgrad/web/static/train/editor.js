// A recipe to choose and to change before it is trained: layers, optimizer, rate, batches, epochs.

import { getJSON, postJSON, Refused } from "../api.js";
import { debounced, el, latest, offer } from "../dom.js";
import { register, t } from "../i18n.js";
import { summaryOf } from "../notes.js";
import { begin as beginTraining, goOn } from "../trainings.js";
import { changesOf, createDraft } from "./draft.js";
import { createLayers } from "./layers.js";

register({
  en: {
    "edit.title": "Recipe",
    "edit.recipe": "Begin with",
    "edit.optimizer": "Optimizer",
    "edit.rate": "Learning rate",
    "edit.momentum": "Momentum",
    "edit.schedule": "Rate over time",
    "edit.batch": "Batch size (0: all)",
    "edit.epochs": "Epochs",
    "edit.validation": "Validation examples",
    "edit.dropout": "Dropout",
    "edit.activation": "Activation",
    "edit.init": "First weights",
    "edit.seed": "Seed",
    "edit.start": "Train",
    "edit.paused": "Start paused",
    "edit.parameters": "{count} parameters",
    "edit.more": "More settings",
    "edit.resume": "Continue a run",
    "edit.resume.run": "Run",
    "edit.resume.epochs": "Until epoch",
    "edit.resume.start": "Go on",
    "edit.none": "There is no run yet.",
    "edit.constant": "constant",
    "edit.step": "in steps",
    "edit.exponential": "exponential",
    "edit.cosine": "cosine",
    "edit.one_cycle": "one cycle",
  },
  zh: {
    "edit.title": "配方",
    "edit.recipe": "从此开始",
    "edit.optimizer": "优化器",
    "edit.rate": "学习率",
    "edit.momentum": "动量",
    "edit.schedule": "学习率变化",
    "edit.batch": "批大小（0：全部）",
    "edit.epochs": "轮数",
    "edit.validation": "验证样本数",
    "edit.dropout": "随机失活",
    "edit.activation": "激活函数",
    "edit.init": "初始权重",
    "edit.seed": "种子",
    "edit.start": "训练",
    "edit.paused": "以暂停状态启动",
    "edit.parameters": "{count} 个参数",
    "edit.more": "更多设置",
    "edit.resume": "继续一次运行",
    "edit.resume.run": "运行记录",
    "edit.resume.epochs": "到第几轮为止",
    "edit.resume.start": "继续",
    "edit.none": "还没有运行记录。",
    "edit.constant": "不变",
    "edit.step": "阶梯式",
    "edit.exponential": "指数式",
    "edit.cosine": "余弦",
    "edit.one_cycle": "单周期",
  },
});

const SCHEDULES = ["constant", "step", "exponential", "cosine", "one_cycle"];
/** Examples set aside where the recipe sets none aside and the data has enough: a curve to compare with. */
const VALIDATION = 5000;

/** The panel. `begun(training)` is called with what the server says of a training that was started. */
export function createEditor(page, begun) {
  let base = null; // the recipe as the package has it
  let draft = null;
  let fits = false;

  const picker = select("edit.recipe", [], () => load());
  const layers = createLayers(() => check());
  const fields = {
    optimizer: select("edit.optimizer", [], (value) => draft.setOptimizer(value)),
    rate: numeric("edit.rate", { min: "0", step: "any" }, (value) => (draft.optimizer.learning_rate = value)),
    batch: numeric("edit.batch", { min: "0", step: "1" }, (value) => (draft.train.batch_size = value)),
    epochs: numeric("edit.epochs", { min: "1", step: "1" }, (value) => (draft.train.epochs = value)),
    momentum: numeric("edit.momentum", { min: "0", max: "0.99", step: "any" }, (value) => (draft.optimizer.momentum = value)),
    schedule: select("edit.schedule", [], (value) => draft.setSchedule(value)),
    activation: select("edit.activation", [], (value) => (draft.model.activation = value)),
    init: select("edit.init", [], (value) => (draft.model.init = value)),
    dropout: numeric("edit.dropout", { min: "0", max: "0.95", step: "any" }, (value) => (draft.model.dropout = value)),
    validation: numeric("edit.validation", { min: "0", step: "1" }, (value) => (draft.data.validation = value)),
    seed: numeric("edit.seed", { min: "0", step: "1" }, (value) => (draft.train.seed = value)),
  };
  const summary = el("p", { class: "small faint" });
  const count = el("p", { class: "small numbers" });
  const trouble = el("p", { class: "small bad", role: "alert" });
  const start = el("button", { class: "primary", t: "edit.start", on: { click: () => begin(false) } });
  const paused = el("button", { t: "edit.paused", on: { click: () => begin(true) } });
  const resuming = createResuming(page, begun);
  const grid = (...names) => el("div", { class: "fields" }, names.map((name) => fields[name].element));
  const element = el(
    "section", { class: "card stack editor" },
    el("h2", { t: "edit.title" }), picker.element, summary, layers.element, count,
    grid("optimizer", "rate", "batch", "epochs"),
    el("details", {}, el("summary", { t: "edit.more" }), grid("momentum", "schedule", "activation", "init", "dropout", "validation", "seed")),
    trouble, el("div", { class: "row" }, start, paused), resuming.element,
  );

  function select(key, options, choose) {
    const input = el("select", { on: { change: () => changed(choose, input.value) } });
    return {
      element: el("label", { class: "field" }, el("span", { t: key }), input),
      offer: (given, say = (value) => value) => offer(input, given.map((value) => el("option", { value }, say(value)))),
      show: (value) => (input.value = value),
      value: () => input.value,
    };
  }

  function numeric(key, limits, choose) {
    const input = el("input", { type: "number", inputmode: "decimal", ...limits });
    input.addEventListener("input", () => input.value !== "" && input.validity.valid && changed(choose, Number(input.value)));
    const field = el("label", { class: "field" }, el("span", { t: key }), input);
    return {
      element: field,
      show: (value) => {
        field.hidden = value === undefined;
        if (document.activeElement !== input) input.value = String(value ?? "");
      },
    };
  }

  function changed(choose, value) {
    choose(value);
    if (draft) showFields();
    check();
  }

  const load = latest(async () => {
    try {
      const found = await getJSON(`/api/recipes/${encodeURIComponent(picker.value())}`);
      base = found;
      draft = createDraft(found, VALIDATION);
      fields.optimizer.offer(found.choices.optimizers.map(({ name }) => name));
      fields.schedule.offer(SCHEDULES, (name) => t(`edit.${name}`));
      fields.activation.offer(found.choices.activations);
      fields.init.offer(found.choices.initializers);
      layers.show(draft, found.choices.layers, found.layers);
      showSummary();
      showFields();
      check();
    } catch (error) {
      page.complain(error);
    }
  });

  page.store.subscribe(() => showSummary(), ["lang"]);

  function showSummary() {
    if (base) summary.textContent = summaryOf(base.recipe.name, base.recipe.summary);
  }

  function showFields() {
    const { optimizer, schedule, train, model, data } = draft;
    const values = {
      optimizer: optimizer.name, rate: optimizer.learning_rate, batch: train.batch_size, epochs: train.epochs,
      momentum: optimizer.name === "sgd" ? optimizer.momentum ?? 0 : undefined,
      schedule: schedule.name, activation: model.activation, init: model.init,
      dropout: model.hidden.length ? model.dropout : undefined,
      validation: draft.examples > 100 ? data.validation : undefined, seed: train.seed,
    };
    for (const [name, value] of Object.entries(values)) fields[name].show(value);
  }

  /** Ask the server what would become of the draft. */
  const check = debounced(150, latest(async () => {
    if (!draft) return;
    const { recipe } = base;
    try {
      const found = await postJSON(`/api/recipes/${encodeURIComponent(recipe.name)}`, { changes: changesOf(recipe, draft) });
      layers.shapes(found.layers);
      const total = found.layers.reduce((sum, layer) => sum + layer.parameters, 0);
      count.textContent = t("edit.parameters", { count: total.toLocaleString("en") });
      accept("");
    } catch (error) {
      if (!(error instanceof Refused) || error.status === 0) page.complain(error);
      else accept(error.message);
    }
  }));

  function accept(problem) {
    fits = !problem;
    trouble.textContent = problem;
    start.disabled = paused.disabled = !fits;
  }

  async function begin(wait) {
    start.disabled = paused.disabled = true;
    try {
      begun(await beginTraining({ recipe: base.recipe.name, changes: changesOf(base.recipe, draft), paused: wait }));
    } catch (error) {
      page.complain(error);
    }
    start.disabled = paused.disabled = !fits;
  }

  return {
    element,
    /** Offer the recipes and runs that there are. */
    offer() {
      const names = page.models.filter((model) => model.kind === "recipes").map((model) => model.title);
      resuming.offer();
      if (!names.length || picker.value()) return;
      picker.offer(names);
      load();
    },
    speak() {
      if (draft) {
        fields.schedule.offer(SCHEDULES, (name) => t(`edit.${name}`));
        layers.speak();
        showFields();
        check();
      }
    },
  };
}

/** Goes on with a run of the folder, whoever trained it. */
function createResuming(page, begun) {
  const run = el("select");
  const epochs = el("input", { type: "number", min: "1", step: "1", value: "20" });
  const button = el("button", { t: "edit.resume.start", on: { click: () => go() } });
  const none = el("p", { class: "small faint", t: "edit.none" });
  const form = el(
    "div", { class: "fields" },
    el("label", { class: "field wide" }, el("span", { t: "edit.resume.run" }), run),
    el("label", { class: "field" }, el("span", { t: "edit.resume.epochs" }), epochs), button,
  );
  async function go() {
    try {
      begun(await goOn(run.value, Number(epochs.value)));
    } catch (error) {
      page.complain(error);
    }
  }
  return {
    element: el("details", {}, el("summary", { t: "edit.resume" }), none, form),
    offer() {
      const names = page.models.filter((model) => model.kind === "runs" && !model.training).map((model) => model.title);
      const chosen = run.value;
      offer(run, names.map((name) => el("option", { value: name }, name)));
      if (names.includes(chosen)) run.value = chosen;
      form.hidden = !names.length;
      none.hidden = names.length > 0;
    },
  };
}
