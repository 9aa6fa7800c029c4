// The layers of a recipe, to be added, taken away, moved and resized.

import { announce, el } from "../dom.js";
import { register, t } from "../i18n.js";
import { complete, SPATIAL } from "./draft.js";

register({
  en: {
    "layers.title": "Layers",
    "layers.output": "output",
    "layers.hidden": "Hidden layer",
    "layers.add": "Add",
    "layers.kind": "Kind of layer to add",
    "layers.up": "Move layer {place} ({name}) up",
    "layers.down": "Move layer {place} ({name}) down",
    "layers.remove": "Remove layer {place} ({name})",
    "layers.setting": "{setting} of layer {place} ({name})",
    "layers.removed": "{name} removed.",
    "layers.added": "{name} added.",
    "layers.moved": "{name} is now layer {place}.",
    "layers.width": "width",
    "layers.out_channels": "channels",
    "layers.out_features": "width",
    "layers.kernel_size": "kernel",
    "layers.stride": "stride",
    "layers.padding": "padding",
    "layers.p": "share",
    "layers.negative_slope": "slope",
  },
  zh: {
    "layers.title": "层",
    "layers.output": "输出",
    "layers.hidden": "隐藏层",
    "layers.add": "添加",
    "layers.kind": "要添加的层",
    "layers.up": "上移第 {place} 层（{name}）",
    "layers.down": "下移第 {place} 层（{name}）",
    "layers.remove": "删除第 {place} 层（{name}）",
    "layers.setting": "第 {place} 层（{name}）的{setting}",
    "layers.removed": "已删除 {name}。",
    "layers.added": "已添加 {name}。",
    "layers.moved": "{name} 现在是第 {place} 层。",
    "layers.width": "宽度",
    "layers.out_channels": "通道数",
    "layers.out_features": "宽度",
    "layers.kernel_size": "核大小",
    "layers.stride": "步幅",
    "layers.padding": "填充",
    "layers.p": "比例",
    "layers.negative_slope": "斜率",
  },
});

/** The settings that can be changed here, with what a new layer has. */
const SETTINGS = {
  out_channels: { value: 8, min: 1 },
  out_features: { value: 32, min: 1 },
  kernel_size: { value: 3, min: 1 },
  stride: { value: 1, min: 1 },
  padding: { value: 0, min: 0 },
  p: { value: 0.25, min: 0 },
  negative_slope: { value: 0.01, min: 0 },
};
const POOLS = { kernel_size: 2, stride: 2 };
/** Width of a new hidden layer. */
const WIDTH = 32;
const HIDDEN = "hidden";
/** What no feature layer is: the end of a network, or done by itself. */
const NOT_OFFERED = new Set(["Flatten", "Softmax", "LogSoftmax", "Linear"]);

/** The list; `changed()` is called after each change of the draft. */
export function createLayers(changed) {
  let draft = null;
  let choices = [];
  let shapes = [];
  const list = el("ol", { class: "layers" });
  const kind = el("select", { label: "layers.kind" });
  const add = el("button", { t: "layers.add", on: { click: () => append(kind.value) } });
  const element = el("div", { class: "stack" }, el("h3", { t: "layers.title" }), list, el("div", { class: "row" }, kind, add));

  const features = () => draft.model.features;
  const hidden = () => draft.model.hidden;

  function append(name) {
    if (name === HIDDEN) hidden().push(WIDTH);
    else features().push(created(name));
    if (SPATIAL.has(name)) moveBeforeFlatten();
    rebuilt("layers.added", { name: titleOf(name) });
  }

  /** A layer that looks at pictures goes where there still are some. */
  function moveBeforeFlatten() {
    const flat = features().findIndex((layer) => layer.name === "Flatten");
    if (flat >= 0) features().push(...features().splice(flat, 1));
  }

  function created(name) {
    const layer = { name };
    const own = choices.find((choice) => choice.name === name).settings;
    for (const setting of own.filter(({ required }) => required)) {
      layer[setting.name] = name.includes("Pool") ? POOLS[setting.name] : SETTINGS[setting.name].value;
    }
    return layer;
  }

  /** Make the list anew, and say what has happened. */
  function rebuilt(key, values) {
    build();
    announce(t(key, values));
    changed();
  }

  /** Keep the focus near by: on the same button of the row in that place, or another that can be pressed. */
  function focusRow(place, button) {
    const buttons = [...list.children[place].querySelectorAll("button")];
    const able = buttons.filter((each) => !each.disabled);
    (able.find((each) => each === buttons[button]) ?? able[0] ?? add).focus();
  }

  const titleOf = (name) => (name === HIDDEN ? t("layers.hidden") : name);

  function build() {
    const rows = [
      ...features().map((layer, place) => row(features(), place, layer.name, featureSettings(layer), 1)),
      ...hidden().map((width, place) => row(hidden(), place, HIDDEN, [widthInput(place)], features().length + 1)),
    ];
    const output = el("li", { class: "fixed" }, el("span", { class: "kind", t: "layers.output" }), el("span", { class: "shape small faint numbers" }));
    list.replaceChildren(...rows, output);
    write();
  }

  function row(items, place, name, settings, first) {
    const values = { place: first + place, name: titleOf(name) };
    const move = (by, key) => el("button", {
      class: "quiet", label: `layers.${key}`, values,
      disabled: place + by < 0 || place + by >= items.length,
      on: { click: () => {
        items.splice(place + by, 0, ...items.splice(place, 1));
        rebuilt("layers.moved", { name: titleOf(name), place: first + place + by });
        focusRow(first - 1 + place + by, by < 0 ? 0 : 1);
      } },
    }, by < 0 ? "↑" : "↓");
    const remove = el("button", { class: "quiet", label: "layers.remove", values, on: { click: () => {
      items.splice(place, 1);
      rebuilt("layers.removed", { name: titleOf(name) });
      focusRow(first - 1 + place, 2);
    } } }, "×");
    const title = el("span", { class: "kind" }, name === HIDDEN ? el("span", { t: "layers.hidden" }) : name);
    return el(
      "li", {}, title, el("span", { class: "settings-of" }, settings), el("span", { class: "shape small faint numbers" }),
      el("span", { class: "moves" }, move(-1, "up"), move(1, "down"), remove),
    );
  }

  function featureSettings(layer) {
    const place = features().indexOf(layer) + 1;
    const own = choices.find((choice) => choice.name === layer.name)?.settings ?? [];
    return own.filter(({ name }) => name in SETTINGS).map(({ name, default: usual }) =>
      input(name, place, layer.name, layer[name] ?? usual ?? layer.kernel_size, (value) => (layer[name] = value)));
  }

  const widthInput = (place) =>
    input("width", features().length + place + 1, t("layers.hidden"), hidden()[place], (value) => (hidden()[place] = value));

  function input(setting, place, name, value, write) {
    const min = SETTINGS[setting]?.min ?? 1;
    const field = el("input", { type: "number", min: String(min), step: "any", value: String(value) });
    field.setAttribute("aria-label", t("layers.setting", { setting: t(`layers.${setting}`), place, name }));
    field.addEventListener("input", () => {
      if (field.value === "" || !field.validity.valid) return;
      write(Number(field.value));
      changed();
    });
    return el("label", { class: "setting small" }, el("span", { t: `layers.${setting}` }), field);
  }

  /** What each row makes: a hidden layer is a linear one, its activation, and maybe dropout. */
  function write() {
    const cells = [...list.querySelectorAll(".shape")];
    const made = complete(features());
    const places = features().map((layer) => made.indexOf(layer));
    const each = 2 + (draft.model.dropout > 0);
    hidden().forEach((_, place) => places.push(made.length + each * place));
    places.push(shapes.length - 1);
    cells.forEach((cell, place) => (cell.textContent = (shapes[places[place]]?.output_shape ?? []).join("×")));
  }

  return {
    element,
    /** Show a draft, with the layers that may be added and the shapes that it has. */
    show(given, offered, layers) {
      draft = given;
      choices = offered;
      shapes = layers;
      const kinds = offered.map(({ name }) => name).filter((name) => !NOT_OFFERED.has(name));
      kind.replaceChildren(el("option", { value: HIDDEN, t: "layers.hidden" }), ...kinds.map((name) => el("option", { value: name }, name)));
      build();
    },
    /** The shapes have changed. */
    shapes(layers) {
      shapes = layers;
      write();
    },
    speak: () => draft && build(),
  };
}
