// Pictures of the test data to look at instead of a drawing: in order, or the model's worst mistakes first.

import { getJSON, modelPath } from "../api.js";
import { el, latest, moveWithArrows, percent } from "../dom.js";
import { className, fromBase64, withArticle } from "../example.js";
import { register, say } from "../i18n.js";
import { paint } from "./seen.js";

register({
  en: {
    "gallery.title": "Or choose a picture",
    "gallery.test": "Test images",
    "gallery.mistakes": "Worst mistakes",
    "gallery.image": "test image {index}, {article}",
    "gallery.mistake": "test image {index}, {article}, taken for {prediction} with {percent}",
    "gallery.none": "It makes no mistake on the test images.",
    "gallery.untrained": "This network has learned nothing yet, so nearly everything is a mistake. Choose a run above, or train one.",
    "gallery.stale": "The weights have changed since.",
    "gallery.again": "Look again",
    "gallery.previous": "Previous pictures",
    "gallery.next": "Next pictures",
    "gallery.range": "{first}–{last} of {total}",
    "gallery.order": "Test images classified wrongly, the greatest loss first: the true class → what the network said.",
  },
  zh: {
    "gallery.title": "或选一张图",
    "gallery.test": "测试图像",
    "gallery.mistakes": "错得最厉害的",
    "gallery.image": "第 {index} 张测试图，{label}",
    "gallery.mistake": "第 {index} 张测试图，{label}，被认成 {prediction}，概率 {percent}",
    "gallery.none": "它在测试图像上没有出错。",
    "gallery.untrained": "这个网络还什么都没学过，几乎全是错。请在上方选一个运行记录，或训练一个。",
    "gallery.stale": "权重已经变了。",
    "gallery.again": "重新查看",
    "gallery.previous": "上一页",
    "gallery.next": "下一页",
    "gallery.range": "第 {first}–{last} 张，共 {total} 张",
    "gallery.order": "分错的测试图像，损失最大的在前：真实类别 → 网络的回答。",
  },
});

const PAGE = 20;
const TABS = ["test", "mistakes"];

/**
 * The gallery. `choose(example)` is called with what the server says of the picture: index, label, pixels, …
 * Its pictures are one stop of the Tab key; arrows go on from there.
 */
export function createGallery(page, choose) {
  const state = { tab: "test", start: 0, total: 0, model: null, latest: "", version: "", chosen: "" };
  const pictures = el("div", { class: "thumbnails", role: "toolbar", label: "gallery.title" });
  const remark = el("p", { class: "faint small" });
  const stale = el("p", { class: "row small", hidden: true }, el("span", { t: "gallery.stale" }), el("button", { t: "gallery.again", on: { click: () => fill() } }));
  const tabs = TABS.map((name) => createTab(name, () => open({ tab: name, start: 0 })));
  const pages = createPages((step) => open({ start: Math.max(0, state.start + step * PAGE) }));
  const panel = el("div", { role: "tabpanel", id: "gallery-panel", class: "stack" }, remark, stale, pictures, pages.element);
  const list = el("div", { class: "tabs", role: "tablist", label: "gallery.title" }, tabs.map((tab) => tab.element));
  moveWithArrows(list, '[role="tab"]', (tab) => tab.click());
  moveWithArrows(pictures, "button", () => {});

  function open(changes) {
    Object.assign(state, changes);
    return fill();
  }

  const fill = latest(async () => {
    tabs.forEach((tab) => tab.show(tab.name === state.tab));
    panel.setAttribute("aria-labelledby", `gallery-${state.tab}`);
    const { model, tab, start, latest: version } = state;
    const mistakes = tab === "mistakes";
    const query = `examples?start=${start}&count=${PAGE}&mistakes=${mistakes}`;
    const pointless = mistakes && !model.trained;
    try {
      const found = pointless ? { total: 0, examples: [] } : await getJSON(modelPath(model.id, query));
      if (model.id === state.model.id && tab === state.tab && start === state.start) show(found, version);
    } catch (error) {
      page.complain(error);
    }
  });

  function show({ total, examples }, version) {
    Object.assign(state, { total, version });
    showAge();
    const mistakes = state.tab === "mistakes";
    const why = !mistakes ? "" : !state.model.trained ? "gallery.untrained" : total ? "gallery.order" : "gallery.none";
    remark.hidden = !why;
    if (why) say(remark, why);
    pictures.replaceChildren(...examples.map((example) => thumbnail(example, state.model, mistakes, choose)));
    pages.show(state.start, examples.length, total);
    mark(state.chosen);
  }

  /** Mistakes are those of the weights that there were when they were looked for. */
  function showAge() {
    stale.hidden = state.tab !== "mistakes" || !state.model.trained || state.latest === state.version;
  }

  function mark(chosen) {
    state.chosen = chosen;
    const buttons = [...pictures.children];
    buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.example === chosen)));
    const entry = buttons.find((button) => button.dataset.example === chosen) ?? buttons[0];
    buttons.forEach((button) => (button.tabIndex = button === entry ? 0 : -1));
  }

  return {
    element: el("div", { class: "stack" }, el("h2", { t: "gallery.title" }), list, panel),
    mark,
    /** Another model, or other weights of the same: mistakes are then looked for again when somebody wants that. */
    follow(model, version) {
      const other = model.id !== state.model?.id;
      Object.assign(state, { model, latest: version });
      if (other) open({ start: 0 });
      else showAge();
    },
  };
}

function createTab(name, chosen) {
  const element = el("button", { role: "tab", id: `gallery-${name}`, "aria-controls": "gallery-panel", t: `gallery.${name}`, on: { click: chosen } });
  return {
    name,
    element,
    show(selected) {
      element.setAttribute("aria-selected", String(selected));
      element.tabIndex = selected ? 0 : -1;
    },
  };
}

function createPages(turn) {
  const previous = el("button", { label: "gallery.previous", on: { click: () => turn(-1) } }, "‹");
  const next = el("button", { label: "gallery.next", on: { click: () => turn(1) } }, "›");
  const range = el("span", { class: "faint small numbers", role: "status" });
  const element = el("div", { class: "row pages" }, previous, range, next);
  return {
    element,
    show(start, count, total) {
      element.hidden = total <= PAGE;
      previous.disabled = start === 0;
      next.disabled = start + count >= total;
      say(range, "gallery.range", { first: start + 1, last: start + count, total: total.toLocaleString("en") });
    },
  };
}

function thumbnail(example, model, mistakes, choose) {
  const { index, probability } = example;
  const [label, prediction] = [example.label, example.prediction].map((each) => className(model, each));
  const values = { index, label, article: withArticle(label), prediction, percent: percent(probability) };
  const button = el(
    "button",
    { class: "thumbnail", label: mistakes ? "gallery.mistake" : "gallery.image", values, data: { example: `test-${index}` } },
    paint(el("canvas", { class: "grey", "aria-hidden": "true" }), fromBase64(example.pixels), model.raw_shape),
    mistakes ? el("span", { class: "small numbers", "aria-hidden": "true" }, `${label} → ${prediction}`) : null,
  );
  button.addEventListener("click", () => choose(example));
  return button;
}
