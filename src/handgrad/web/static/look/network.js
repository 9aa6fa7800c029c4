// The network as a picture, from the input down to the loss: a card for each layer, with what it made and what came back.

import { el, number } from "../dom.js";
import { createHeatmap } from "../heatmap.js";
import { register, t } from "../i18n.js";
import { ravel, shapeText, sizeOf, unravel } from "../shapes.js";
import { cellOf, cellText, currentStep, isComputed, stepAt } from "./steps.js";

register({
  en: {
    "network.input": "The input, as the network takes it",
    "network.loss": "Loss",
    "network.value": "activation",
    "network.gradient": "gradient of the loss",
    "network.probabilities": "probabilities",
    "network.outputs": "output",
    "network.weights": "Weights",
    "network.weight": "{name}",
    "network.weight.gradient": "gradient of {name}",
    "network.weight.updated": "change of {name} by the update",
    "network.value.of": "Activations of {layer}, {shape}. Arrow keys choose a number.",
    "network.gradient.of": "Gradient of the loss with respect to the activations of {layer}, {shape}. Arrow keys choose a number.",
    "network.array.of": "{name}, {shape}. Arrow keys choose a number.",
    "network.later": "not computed yet",
    "network.unknown": "needs the true label",
    "network.waiting": "Choose or draw an example, and its way through the network appears here.",
  },
  zh: {
    "network.input": "网络收到的输入",
    "network.loss": "损失",
    "network.value": "激活值",
    "network.gradient": "损失的梯度",
    "network.probabilities": "概率",
    "network.outputs": "输出",
    "network.weights": "权重",
    "network.weight": "{name}",
    "network.weight.gradient": "{name} 的梯度",
    "network.weight.updated": "更新使 {name} 改变了多少",
    "network.value.of": "{layer} 的激活值，{shape}。用方向键选择一个数。",
    "network.gradient.of": "损失对 {layer} 激活值的梯度，{shape}。用方向键选择一个数。",
    "network.array.of": "{name}，{shape}。用方向键选择一个数。",
    "network.later": "尚未计算",
    "network.unknown": "需要真实标签",
    "network.waiting": "选择或画一个例子，它在网络中的路径会显示在这里。",
  },
});

/** Draws the cards, and keeps their pictures up to date. */
export function mount(element, page) {
  const { store } = page;
  const list = el("ol", { class: "layers" });
  const waiting = el("p", { class: "faint", t: "network.waiting" });
  element.append(waiting, list);
  /** Every picture by the name of its array. */
  let pictures = new Map();
  let open = new Set();
  let built; // the network that the cards are of

  function build() {
    const { network } = store.get();
    pictures = new Map();
    if (network?.id !== built) open = new Set();
    built = network?.id;
    if (!network) return list.replaceChildren();
    const cards = [inputCard(network), ...network.layers.map((layer, place) => layerCard(layer, place, network)), lossCard(network)];
    list.replaceChildren(...cards);
    for (const place of open) showWeights(place);
    openChosen();
    update();
  }

  /** A cell of a weight is chosen: its picture has to be there. */
  function openChosen() {
    const { network, cell } = store.get();
    const owner = network && cell ? ownerOf(cellOf(cell)?.array ?? "", network) : -1;
    if (owner >= 0 && !open.has(owner)) {
      open.add(owner);
      showWeights(owner);
    }
  }

  function inputCard(network) {
    const card = frame("input", el("h3", { t: "network.input" }), network.input_shape);
    addPair(card, 0, t("network.input"), network);
    return card;
  }

  function layerCard(layer, place, network) {
    const card = frame(`layer-${place}`, el("h3", {}, layer.title), layer.output_shape);
    addPair(card, place + 1, layer.title, network);
    if (layer.parameters.length) {
      const inside = el("div", { class: "weights", hidden: true });
      const toggle = el("button", {
        class: "small quiet",
        t: "network.weights",
        "aria-expanded": "false",
        on: { click: () => toggleWeights(place) },
      });
      card.querySelector(".card-head").append(toggle);
      card.append(inside);
    }
    return card;
  }

  function lossCard(network) {
    const card = frame("loss", el("h3", { t: "network.loss" }), []);
    const value = el("button", { class: "loss-value numbers", on: { click: () => store.set({ cell: "loss:" }) } });
    const caption = network.classes === null ? "network.outputs" : "network.probabilities";
    const options = { label: "network.array.of", values: { name: t(caption), shape: shapeText([network.classes ?? 1]) } };
    card.append(el("div", { class: "pair" }, el("div", {}, value), panel("probabilities", caption, options)));
    return card;
  }

  function frame(name, heading, shape) {
    const badge = shape.length ? el("span", { class: "badge numbers" }, shapeText(shape)) : null;
    return el("li", { class: "card layer-card", data: { card: name } }, el("div", { class: "row card-head" }, heading, badge));
  }

  function addPair(card, place, title, network) {
    const shape = place ? network.layers[place - 1].output_shape : network.input_shape;
    const values = { layer: title, shape: shapeText(shape) };
    const grey = place === 0;
    card.append(el("div", { class: "pair" },
      panel(`activation.${place}`, "network.value", { label: "network.value.of", values, grey }),
      panel(`gradient.${place}`, "network.gradient", { label: "network.gradient.of", values })));
  }

  /** A picture with its caption. */
  function panel(array, caption, options, captionValues) {
    const picture = createHeatmap({ ...options, choose: (flat) => choose(array, flat) });
    pictures.set(array, picture);
    const absent = el("p", { class: "absent small faint" });
    picture.absent = absent;
    return el("figure", { class: "panel", data: { array } }, el("figcaption", { class: "small", t: caption, values: captionValues }),
      picture.element, absent);
  }

  function choose(array, flat) {
    const shape = store.get().trace?.arrays[array]?.shape ?? [store.get().probabilities?.length ?? 0];
    store.set({ cell: cellText(array, unravel(flat, shape)) });
  }

  function toggleWeights(place) {
    if (!open.delete(place)) open.add(place);
    showWeights(place);
  }

  /** Show or hide a layer's weights, and ask for those that are shown. */
  function showWeights(place) {
    const card = list.querySelector(`[data-card="layer-${place}"]`);
    const [toggle, inside] = [card.querySelector("[aria-expanded]"), card.querySelector(".weights")];
    const layers = store.get().network.layers;
    inside.hidden = !open.has(place);
    toggle.setAttribute("aria-expanded", String(open.has(place)));
    if (!inside.childElementCount) inside.append(...layers[place].parameters.map((parameter) => weightPanels(parameter)));
    const names = [...open].flatMap((at) => layers[at].parameters.map((parameter) => parameter.name));
    store.set({ wanted: names.flatMap((name) => [`parameter.${name}`, `parameter_gradient.${name}`, `updated.${name}`]).join(" ") });
  }

  function weightPanels({ name, shape }) {
    const options = (text) => ({ label: "network.array.of", values: { name: text, shape: shapeText(shape) } });
    const kinds = { parameter: "network.weight", parameter_gradient: "network.weight.gradient", updated: "network.weight.updated" };
    return el("div", { class: sizeOf(shape) > 2048 ? "triple large" : "triple" }, ...Object.entries(kinds).map(
      ([kind, key]) => panel(`${kind}.${name}`, key, options(t(key, { name })), { name })));
  }

  function update() {
    const state = store.get();
    waiting.hidden = Boolean(state.trace);
    list.hidden = !state.trace;
    if (!state.trace) return;
    const step = currentStep(state);
    for (const [array, picture] of pictures) showPicture(array, picture, state, step);
    showLoss(state, step);
    showCurrent(state, step);
  }

  function showPicture(array, picture, state, step) {
    const layers = state.network.layers.length;
    const known = array === "probabilities" ? { shape: [state.trace.about.probabilities.length], data: state.trace.about.probabilities }
      : state.trace.arrays[array];
    const computed = isComputed(array, step, layers, ownerOf(array, state.network));
    const shown = known && computed ? changeIfUpdated(array, known, state) : null;
    picture.show(shown, { image: imageShape(array, state) });
    const missing = !known && state.label === "" ? "network.unknown" : "network.later";
    picture.absent.textContent = shown ? "" : t(missing);
    markPicture(array, picture, state);
  }

  function markAll() {
    const state = store.get();
    if (!state.trace) return;
    for (const [array, picture] of pictures) markPicture(array, picture, state);
  }

  function markPicture(array, picture, state) {
    const cell = cellOf(state.cell);
    const shape = array === "probabilities" ? [state.trace.about.probabilities.length] : state.trace.arrays[array]?.shape;
    const chosen = cell?.array === array && shape ? ravel(cell.index, shape) : -1;
    picture.mark(chosen, state.explained?.lit.get(array) ?? null);
  }

  function showLoss(state, step) {
    const value = list.querySelector(".loss-value");
    const known = state.trace.about.loss !== null && step >= state.network.layers.length + 1;
    value.disabled = !known;
    value.textContent = `L = ${known ? number(state.trace.about.loss) : "?"}`;
  }

  function showCurrent(state, step) {
    const { kind, layer } = stepAt(step, state.network.layers.length);
    const name = layer === null ? { input: "input", loss: "loss" }[kind] : `layer-${layer}`;
    for (const card of list.children) {
      const current = state.step !== "" && card.dataset.card === name;
      if (current && !card.classList.contains("current")) card.scrollIntoView({ block: "nearest", behavior: "smooth" });
      card.classList.toggle("current", current);
    }
  }

  function redraw() {
    for (const picture of pictures.values()) picture.draw();
  }

  store.subscribe(build, ["network", "lang"]);
  store.subscribe(update, ["trace", "step"]);
  store.subscribe(openChosen, ["cell"]);
  store.subscribe(markAll, ["explained", "cell"]);
  store.subscribe(redraw, ["theme"]);
  new ResizeObserver(redraw).observe(element);
}

/** Of an update its change, since the new weights look like the old ones. */
function changeIfUpdated(array, known, state) {
  if (!array.startsWith("updated.")) return known;
  const before = state.trace.arrays[array.replace("updated.", "parameter.")];
  return before ? { shape: known.shape, data: known.data.map((value, place) => value - before.data[place]) } : known;
}

/** Height and width of the images that rows of this array are, if they are images. */
function imageShape(array, state) {
  const [height, width] = state.network.raw_shape;
  const first = state.network.layers.findIndex((layer) => layer.parameters.length);
  const isFirst = state.network.layers[first]?.parameters.some(({ name }) => array.endsWith(`.${name}`));
  const isInput = array === "activation.0" || array === "gradient.0";
  return (isInput || isFirst) && width ? [height, width] : null;
}

/** The place of the layer that a parameter's array belongs to. */
export function ownerOf(array, network) {
  return network.layers.findIndex((layer) => layer.parameters.some(({ name }) => array.endsWith(`.${name}`)));
}
