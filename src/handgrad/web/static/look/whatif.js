// What if: a unit silenced, a weight changed, the input turned, covered or noisy; another network beside this one.

import { modelPath, postArrays } from "../api.js";
import { announce, el, latest, number, offer, percent } from "../dom.js";
import { COVER, readChange, writeChange } from "./changes.js";
import { className, seesGrey } from "../example.js";
import { register, t } from "../i18n.js";
import { cellOf, splitName } from "./steps.js";
import { editsOf, isChanged, MOST, MOST_EDITS, situationOf } from "./trace.js";
import { ownerOf } from "./network.js";

register({
  en: {
    "whatif.title": "What if …",
    "whatif.hint": "Choose a unit, a weight or a pixel to change it.",
    "whatif.silence": "Silence unit {unit} of {layer}",
    "whatif.scale": "times",
    "whatif.shift": "plus",
    "whatif.apply": "Change this weight",
    "whatif.cover": "Cover {side} × {side} pixels here",
    "whatif.rotate": "Turn the input",
    "whatif.noise": "Add noise",
    "whatif.degrees": "{value}°",
    "whatif.active": "Changed now",
    "whatif.silenced": "unit {unit} of {layer} silenced",
    "whatif.edited": "{parameter}[{index}] × {factor} + {offset}",
    "whatif.covered": "covered at [{row}, {column}]",
    "whatif.remove": "Take back: {what}",
    "whatif.reset": "Take all back",
    "whatif.compare": "Compare with",
    "whatif.nothing": "nothing",
    "whatif.before": "this network, unchanged",
    "whatif.class": "class",
    "whatif.output": "output",
    "whatif.both": "{own} says {now}, {model} says {before}.",
    "whatif.now": "now",
    "whatif.unchanged": "before",
    "whatif.moved": "The answer is now {now}; before it was {before}.",
    "whatif.stays": "The answer stays {now}.",
    "whatif.unlike": "{model} takes another kind of input.",
  },
  zh: {
    "whatif.title": "如果……",
    "whatif.hint": "选一个单元、权重或像素来改变它。",
    "whatif.silence": "让 {layer} 的单元 {unit} 沉默",
    "whatif.scale": "乘以",
    "whatif.shift": "加上",
    "whatif.apply": "改变这个权重",
    "whatif.cover": "在此遮住 {side} × {side} 个像素",
    "whatif.rotate": "旋转输入",
    "whatif.noise": "加入噪声",
    "whatif.degrees": "{value}°",
    "whatif.active": "当前的改变",
    "whatif.silenced": "{layer} 的单元 {unit} 已沉默",
    "whatif.edited": "{parameter}[{index}] × {factor} + {offset}",
    "whatif.covered": "遮住 [{row}, {column}]",
    "whatif.remove": "撤销：{what}",
    "whatif.reset": "全部撤销",
    "whatif.compare": "比较对象",
    "whatif.nothing": "无",
    "whatif.before": "未改变的这个网络",
    "whatif.class": "类别",
    "whatif.output": "输出",
    "whatif.both": "{own} 说 {now}，{model} 说 {before}。",
    "whatif.now": "现在",
    "whatif.unchanged": "之前",
    "whatif.moved": "现在的回答是 {now}，之前是 {before}。",
    "whatif.stays": "回答仍是 {now}。",
    "whatif.unlike": "{model} 的输入是另一种。",
  },
});

/** Layers behind which a unit is still the same unit. */
const KEEPS_UNITS = ["ReLU", "LeakyReLU", "Tanh", "GELU", "Dropout", "MaxPool2d", "AvgPool2d"]; // all of them keep 0 at 0
const NORMALISES = ["BatchNorm1d", "BatchNorm2d"];

/** The card below the explanation of a number. */
export function mount(element, page) {
  const { store } = page;
  const tools = el("div", { class: "stack" });
  const rotate = slider("rotate", -45, 45, 1);
  const noise = slider("noise", 0, 1, 0.05);
  const image = el("div", { class: "stack sliders" }, rotate.row, noise.row);
  const active = el("div", { class: "stack" });
  const other = el("select", { id: "compared", on: { change: () => store.set({ compared: other.value }) } });
  const table = el("div", { class: "stack" });
  const card = el("div", { class: "card stack whatif-card", hidden: true }, el("h2", { t: "whatif.title" }), tools, image, active,
    el("div", { class: "row" }, el("label", { for: "compared", t: "whatif.compare" }), other), table);
  element.append(card);

  function slider(name, min, max, step) {
    const input = el("input", { type: "range", id: `change-${name}`, min: String(min), max: String(max), step: String(step), on: { input: () => changed() } });
    const shown = el("output", { class: "numbers small", for: `change-${name}` });
    return { input, shown, row: el("div", { class: "row" }, el("label", { for: `change-${name}`, t: `whatif.${name}` }), input, shown) };
  }

  function changed() {
    const covers = readChange(store.get().change).covers;
    store.set({ change: writeChange({ rotate: Number(rotate.input.value), noise: Number(noise.input.value), covers }) });
  }

  // New numbers come often; what somebody types into is made anew only where it is about something else.
  function show() {
    const state = store.get();
    card.hidden = !state.trace;
    if (state.trace) showModels(state);
  }

  function showTools() {
    const state = store.get();
    if (state.network) tools.replaceChildren(...toolsFor(state));
  }

  function showChanges() {
    const state = store.get();
    if (!state.network) return;
    const change = readChange(state.change);
    image.hidden = !seesGrey(state.network);
    [rotate.input.value, noise.input.value] = [String(change.rotate), String(change.noise)];
    rotate.shown.textContent = t("whatif.degrees", { value: change.rotate });
    noise.shown.textContent = percent(change.noise, 0);
    showActive(state, change);
  }

  function toolsFor(state) {
    const cell = cellOf(state.cell);
    const [kind, name] = splitName(cell?.array ?? "");
    if (kind === "activation" && name === "0" && seesGrey(state.network)) return [coverButton(cell, state)];
    const unit = kind === "activation" || kind === "gradient" ? unitOf(Number(name) - 1, cell.index, state.network) : null;
    if (unit) return [el("button", { on: { click: () => silence(unit) } }, t("whatif.silence", { unit: unit.unit, layer: unit.title }))];
    if (["parameter", "parameter_gradient", "updated"].includes(kind)) return [weightForm(name, cell.index)];
    return [el("p", { class: "faint small", t: "whatif.hint" })];
  }

  function coverButton({ index }, state) {
    const width = state.network.raw_shape[1];
    const [row, column] = index.length === 1 ? [Math.floor(index[0] / width), index[0] % width] : index.slice(-2);
    const add = () => {
      const change = readChange(store.get().change);
      store.set({ change: writeChange({ ...change, covers: [...change.covers, [row, column]] }) });
    };
    return el("button", { t: "whatif.cover", values: { side: COVER }, on: { click: add } });
  }

  function silence({ parameters, unit }) {
    add(parameters.map((name) => `${name}:${unit}*0`));
  }

  function weightForm(name, index) {
    const field = (key, value) => el("input", { type: "number", label: key, step: "any", min: String(-MOST), max: String(MOST), value, required: true });
    const [factor, offset] = [field("whatif.scale", "0"), field("whatif.shift", "0")];
    const apply = () => factor.reportValidity() && offset.reportValidity() && add([`${name}:${index.join(".")}*${Number(factor.value)}${Number(offset.value) ? `+${Number(offset.value)}` : ""}`]);
    return el("div", { class: "row weight-form" }, el("span", { "aria-hidden": "true" }, "×"), factor, el("span", { "aria-hidden": "true" }, "+"), offset,
      el("button", { t: "whatif.apply", on: { click: apply } }));
  }

  const add = (edits) => store.set({ edits: [...store.get().edits.split(";").filter(Boolean), ...edits].slice(-MOST_EDITS).join(";") });

  function showActive(state, change) {
    const chips = [
      ...groups(state.edits, state.network).map(({ title, edits }) => chip(title, () => store.set({
        edits: store.get().edits.split(";").filter((edit) => !edits.includes(edit)).join(";"),
      }))),
      ...change.covers.map(([row, column], place) => chip(t("whatif.covered", { row, column }), () => {
        store.set({ change: writeChange({ ...change, covers: change.covers.filter((_, at) => at !== place) }) });
      })),
    ];
    active.hidden = !state.edits && !state.change;
    const reset = el("button", { class: "small", t: "whatif.reset", on: { click: () => store.set({ edits: "", change: "" }) } });
    active.replaceChildren(el("h3", { t: "whatif.active" }), el("div", { class: "row" }, ...chips, reset));
  }

  const chip = (title, remove) => el("button", { class: "chip small", "aria-label": t("whatif.remove", { what: title }), on: { click: remove } }, `${title} ×`);

  function showModels(state) {
    const options = page.models.filter((model) => model.id !== state.model).map((model) => el("option", { value: model.id }, model.id));
    offer(other, [el("option", { value: "" }, t(isChanged(state) ? "whatif.before" : "whatif.nothing")), ...options]);
    other.value = state.compared;
  }

  const compare = latest(async () => {
    const state = store.get();
    if (!state.trace || (!state.compared && !isChanged(state))) return table.replaceChildren();
    const given = situationOf(state);
    const plain = { input: state.compared ? given.input : Array.from(state.input), label: null };
    try {
      const { about } = await postArrays(modelPath(state.compared || state.model, "trace"), plain);
      if (store.get().trace === state.trace) showComparison(about.probabilities, state); // a later one is compared next
    } catch (error) {
      if (error.status !== 400) return page.complain(error);
      table.replaceChildren(el("p", { class: "faint", t: "whatif.unlike", values: { model: state.compared } }));
    }
  });

  function showComparison(before, state) {
    const now = state.trace.about.probabilities;
    if (before.length !== now.length) return table.replaceChildren(el("p", { class: "faint", t: "whatif.unlike", values: { model: state.compared } }));
    const isClasses = state.network.classes !== null;
    const show = (values) => (isClasses ? className(state.network, values.indexOf(Math.max(...values))) : values.map((value) => number(value)).join(", "));
    const sentence = compared(show(before), show(now), state);
    const rows = now.map((value, place) => el("tr", {}, el("th", { scope: "row" }, className(state.network, place)), bar(before[place], isClasses), bar(value, isClasses)));
    const titles = state.compared ? [state.compared, state.model] : [t("whatif.unchanged"), t("whatif.now")];
    const head = el("tr", {}, el("th", { t: isClasses ? "whatif.class" : "whatif.output" }), ...titles.map((title) => el("th", {}, title)));
    table.replaceChildren(el("p", {}, sentence), el("table", { class: "compared numbers" }, el("thead", {}, head), el("tbody", {}, ...rows)));
    announce(sentence);
  }

  function compared(before, now, { compared: model, model: own }) {
    if (model) return t("whatif.both", { own, now, model, before });
    return before === now ? t("whatif.stays", { now }) : t("whatif.moved", { now, before });
  }

  function bar(share, isClasses) {
    const cell = el("td", { class: "amount" }, isClasses ? percent(share) : number(share));
    cell.style.setProperty("--share", String(Math.max(0, Math.min(1, share))));
    return cell;
  }

  store.subscribe(show, ["trace", "edits", "change", "lang", "compared"]);
  store.subscribe(showTools, ["cell", "network", "lang"]);
  store.subscribe(showChanges, ["edits", "change", "network", "lang"]);
  store.subscribe(compare, ["trace", "compared"]);
}

/** The unit that a number of an activation belongs to, with all parameters that have to be 0 for it to stay silent. */
function unitOf(place, index, network) {
  if (!network.layers[place]) return null;
  let made = place;
  while (made >= 0 && [...KEEPS_UNITS, ...NORMALISES].includes(network.layers[made].kind)) made -= 1;
  if (made < 0 || !["Linear", "Conv2d"].includes(network.layers[made].kind)) return null;
  let behind = made + 1; // batch norm would bring a silent unit back to its shift
  const silenced = [made];
  while (behind < network.layers.length && [...KEEPS_UNITS, ...NORMALISES].includes(network.layers[behind].kind)) {
    if (NORMALISES.includes(network.layers[behind].kind)) silenced.push(behind);
    behind += 1;
  }
  if (network.layers[behind]?.kind === "Sigmoid") return null; // which would say ½ of a unit that is 0
  const parameters = silenced.flatMap((at) => network.layers[at].parameters.map(({ name }) => name));
  return { unit: index[0], title: network.layers[made].title, parameters };
}

/** Edits as a person sees them: those that silence one unit together. */
function groups(text, network) {
  const found = new Map();
  for (const edit of text.split(";").filter(Boolean)) {
    const [{ parameter, index, factor, offset } = {}] = editsOf(edit, network);
    if (!parameter) continue;
    const owner = ownerOf(`parameter.${parameter}`, network);
    let title = t("whatif.edited", { parameter, index: index.join(", "), factor, offset });
    if (index.length === 1 && factor === 0 && offset === 0 && owner >= 0) {
      let made = owner;
      while (made > 0 && NORMALISES.includes(network.layers[made].kind)) made -= 1;
      title = t("whatif.silenced", { unit: index[0], layer: network.layers[made].title });
    }
    found.set(title, [...(found.get(title) ?? []), edit]);
  }
  return [...found].map(([title, edits]) => ({ title, edits }));
}
