// The page: which view is shown, of which model, in which language and colours.

import { getJSON, Refused } from "./api.js";
import { followTheme, THEMES } from "./colours.js";
import { announce, el, offer, percent } from "./dom.js";
import { seesDrawings } from "./example.js";
import { languages, preferredLanguage, register, speak, t, translate } from "./i18n.js";
import { createStore } from "./state.js";
import { later } from "./later.js";
import * as look from "./look.js";

register({
  en: {
    "app.skip": "Skip to the content",
    "app.views": "Views",
    "app.look": "Look inside",
    "app.train": "Train",
    "app.lessons": "Lessons",
    "app.model": "Network",
    "app.recipes": "Recipes, untrained",
    "app.runs": "Runs",
    "app.training": "training now",
    "app.language": "Language",
    "app.theme": "Colours",
    "app.theme.auto": "as the system",
    "app.theme.light": "light",
    "app.theme.dark": "dark",
    "app.gone": "The server does not answer. Is `handgrad serve` still running?",
    "app.missing": "There is no network {model} here; another is shown instead.",
    "app.dismiss": "Close this message",
  },
  zh: {
    "app.skip": "跳到正文",
    "app.views": "视图",
    "app.look": "看内部",
    "app.train": "训练",
    "app.lessons": "课程",
    "app.model": "网络",
    "app.recipes": "配方（未训练）",
    "app.runs": "运行记录",
    "app.training": "正在训练",
    "app.language": "语言",
    "app.theme": "颜色",
    "app.theme.auto": "跟随系统",
    "app.theme.light": "浅色",
    "app.theme.dark": "深色",
    "app.gone": "服务器没有回应。`handgrad serve` 还在运行吗？",
    "app.missing": "这里没有网络 {model}，改为显示另一个。",
    "app.dismiss": "关闭此消息",
  },
});

const VIEWS = {
  look,
  train: later(() => import("./train.js"), ({ view, training }) => view === "train" || training !== "", ["view", "training"]),
  lessons: later(() => import("./lessons/lessons.js"), ({ view }) => view === "lessons", ["view"]),
};

const store = createStore();

/** Milliseconds between two looks at runs that are being trained. */
const FOLLOWING = 2000;

/** A sentence about what went wrong, above everything, until it is closed, or another comes, or a silent server answers again. */
function complain(error) {
  if (!(error instanceof Refused)) throw error;
  const text = error.status === 0 ? t("app.gone") : error.message;
  const close = el("button", { class: "quiet", label: "app.dismiss", on: { click: () => bar.remove() } }, "×");
  const bar = el("div", { class: "complaint", role: "alert", data: { status: error.status } }, el("span", {}, text), close);
  document.querySelector(".complaint")?.remove();
  document.querySelector(".top").after(bar);
}

let asked = 0; // how often which models there are
let answered = null; // once the latest of these questions is

/** Take over which models there are. Only the latest answer counts; who has asked before waits for it too. */
async function askForModels() {
  const mine = ++asked;
  const { models } = await getJSON("/api/models");
  if (mine !== asked) return answered;
  document.querySelector('.complaint[data-status="0"]')?.remove();
  page.models = models;
  const { model } = store.get();
  const chosen = page.model() ?? usualModel();
  if (model && chosen.id !== model) complain(new Refused(t("app.missing", { model }), 404));
  showModels(chosen.id);
  store.set({ model: chosen.id, version: chosen.version });
}

const page = {
  store,
  complain,
  models: [],
  /** Ask again which models there are; the chosen one stays chosen. */
  refreshModels: () => (answered = askForModels()),
  /** Show another model of the list. */
  chooseModel: (id) => chooseModel(id, store.set),
  /** What the server says of the chosen model. */
  model: () => page.models.find((model) => model.id === store.get().model),
};

/** Where the address names none: the trained network that is known to read pictures best, or one to train. */
function usualModel() {
  const trained = page.models.filter((model) => model.trained && seesDrawings(model));
  const [best] = trained.sort((one, other) => (other.accuracy ?? -1) - (one.accuracy ?? -1));
  return best ?? page.models.find((model) => model.id === "recipes/mlp") ?? page.models[0];
}

function showModels(chosen) {
  const picker = document.getElementById("model");
  const group = (kind, key) => {
    const entries = page.models.filter((model) => model.kind === kind);
    const options = entries.map((model) => el("option", { value: model.id }, titleOf(model)));
    return options.length ? Object.assign(el("optgroup", {}, options), { label: t(key) }) : null;
  };
  offer(picker, [group("runs", "app.runs"), group("recipes", "app.recipes")]);
  picker.value = chosen;
}

function titleOf(model) {
  if (model.training) return `${model.title} · ${t("app.training")}`;
  return model.accuracy === null ? model.title : `${model.title} · ${percent(model.accuracy, 2)}`;
}

function settings() {
  const model = el("select", { id: "model", on: { change: () => chooseModel(model.value, store.visit) } });
  const language = el("select", { label: "app.language", on: { change: () => store.set({ lang: language.value }) } });
  for (const [name, title] of Object.entries(languages)) language.append(el("option", { value: name }, title));
  const colours = followTheme(store);
  const theme = el("select", { label: "app.theme", on: { change: () => colours.choose(theme.value) } });
  for (const name of THEMES) theme.append(el("option", { value: name, t: `app.theme.${name}` }));
  theme.value = colours.chosen;
  store.subscribe(() => (language.value = chosenLanguage()), ["lang"]);
  language.value = chosenLanguage();
  const labelled = el("label", { class: "model" }, el("span", { t: "app.model" }), model);
  document.querySelector(".settings").append(labelled, language, theme);
}

/** Go to another model of the list: by `store.visit`, where somebody wants to see it, or by `store.set`. */
function chooseModel(id, go) {
  const model = page.models.find((each) => each.id === id);
  const other = page.model() && !takesTheSame(model, page.model());
  const nothing = other ? { example: "", label: "", unlabelled: false, input: null } : {};
  const { version } = model;
  go({ ...nothing, model: id, version, cell: "", step: "", updates: "0", edits: "", change: "", compared: "", optimizer: "" });
  announce(id);
}

/** Whether an example of one model, with its label, is one for the other as well. */
const takesTheSame = (one, other) => String(one.raw_shape) === String(other.raw_shape) && one.classes === other.classes;

/** The address may name a model that is not in the list yet, or not there at all. */
async function followModel() {
  const model = page.model();
  if (!model) {
    await page.refreshModels().catch(complain);
    return;
  }
  document.getElementById("model").value = model.id;
  store.set({ version: model.version });
}

const chosenLanguage = () => (store.get().lang in languages ? store.get().lang : preferredLanguage());

function showView() {
  const chosen = store.get().view in VIEWS ? store.get().view : "look";
  for (const [name, { section, tab }] of Object.entries(mounted)) {
    section.hidden = name !== chosen;
    tab.setAttribute("aria-current", name === chosen ? "page" : "false");
  }
}

const mounted = {};

/** While a run is trained, here or on the command line, its weights and its place in the list change. */
async function followRuns() {
  if (document.hidden || !page.models.some((model) => model.training)) return;
  await page.refreshModels().catch(() => {}); // the next question complains, if the server is gone
}

/** To the content by a key; the address, which is the page's state, stays as it is. */
function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

async function start() {
  document.querySelector(".skip").addEventListener("click", skip);
  speak(chosenLanguage());
  store.subscribe(() => speak(chosenLanguage()), ["lang"]); // first, so that whoever listens next finds the new words
  settings();
  store.subscribe(followModel, ["model"]); // before those who show the model, for they need its version
  for (const [name, view] of Object.entries(VIEWS)) {
    const section = el("section", { class: `view ${name}`, id: `view-${name}`, hidden: true });
    const tab = el("button", { t: `app.${name}`, on: { click: () => store.visit({ view: name }) } });
    document.querySelector(".views").append(tab);
    document.getElementById("main").append(section);
    mounted[name] = { section, tab };
    view.mount(section, page);
  }
  store.subscribe(showView, ["view"]);
  store.subscribe(() => showModels(store.get().model), ["lang"]);
  showView();
  translate(document);
  try {
    await page.refreshModels();
  } catch (error) {
    complain(error);
  }
  setInterval(followRuns, FOLLOWING);
  document.documentElement.dataset.ready = "true";
  performance.mark("ready");
}

start();
