// For networks that look at a few numbers instead of pictures: the numbers to enter, and the data's own examples.

import { getJSON, modelPath } from "../api.js";
import { el, latest, number } from "../dom.js";
import { className } from "../example.js";
import { register } from "../i18n.js";
import { sizeOf } from "../shapes.js";

register({
  en: {
    "values.title": "Input",
    "values.why": "This network looks at {count} numbers. Enter them, or choose an example of its data.",
    "values.examples": "Examples of the data",
    "values.example": "Example {index}: {inputs} belongs to {target}",
    "values.number": "Input {place}",
  },
  zh: {
    "values.title": "输入",
    "values.why": "这个网络的输入是 {count} 个数。可以自己填写，也可以选数据中的一个例子。",
    "values.examples": "数据中的例子",
    "values.example": "例 {index}：{inputs} 对应 {target}",
    "values.number": "输入 {place}",
  },
});

const COUNT = 20;

/** The panel. `entered(numbers)` is called when they are changed by hand, `choose(example)` when one of the data's is chosen. */
export function createValues(page, entered, choose) {
  const fields = el("div", { class: "row" });
  const why = el("p", { class: "faint small" });
  let chosen = "";
  let model = null;
  const list = el("div", { class: "row" });
  const element = el("div", { class: "stack" }, el("h2", { t: "values.title" }), why, fields, el("h3", { t: "values.examples" }), list);

  function field(_, place) {
    const called = model.feature_names?.[place];
    const named = called ? { "aria-label": called } : { label: "values.number", values: { place: place + 1 } };
    const box = el("input", { type: "number", step: "any", ...named });
    box.addEventListener("input", () => {
      const numbers = [...fields.querySelectorAll("input")].map((each) => each.valueAsNumber);
      if (numbers.every(Number.isFinite)) entered(numbers);
    });
    const title = called ? [called] : ["x", el("sub", {}, String(place + 1))];
    return el("label", { class: called ? "value named" : "value" }, el("span", { "aria-hidden": "true" }, title), box);
  }

  function entry(example) {
    const inputs = `(${example.inputs.map((value) => number(value)).join(", ")})`;
    const isClass = example.label !== undefined && example.label !== null;
    const target = isClass ? className(model, example.label) : [example.target].flat().map((value) => number(value)).join(", ");
    const values = { index: example.index, inputs, target };
    const on = { click: () => choose(example) };
    return el("button", { class: "numbers", label: "values.example", values, on, data: { example: `test-${example.index}` } }, `${inputs} → ${target}`);
  }

  const fill = latest(async (id) => {
    try {
      const { examples } = await getJSON(modelPath(id, `examples?start=0&count=${COUNT}`));
      list.replaceChildren(...examples.map(entry));
      mark(chosen);
    } catch (error) {
      page.complain(error);
    }
  });

  function mark(example) {
    chosen = example;
    for (const button of list.children) button.setAttribute("aria-pressed", String(button.dataset.example === chosen));
  }

  return {
    element,
    mark,
    /** The fields and examples of another model. */
    follow(other) {
      model = other;
      const count = sizeOf(model.raw_shape);
      why.replaceChildren(el("span", { t: "values.why", values: { count } }));
      fields.replaceChildren(...Array.from({ length: count }, field));
      list.replaceChildren();
      fill(model.id);
    },
    show(numbers) {
      [...fields.querySelectorAll("input")].forEach((box, place) => {
        const shown = Number(numbers[place].toPrecision(7)); // all that float32 holds, without the digits of a double
        if (box.valueAsNumber !== shown) box.value = String(shown);
      });
    },
  };
}
