// What a picture really is: chosen by whoever drew it, known for a picture of the data.

import { el } from "../dom.js";
import { className, seesImages } from "../example.js";
import { register, say } from "../i18n.js";

register({
  en: {
    "labels.title": "This is a …",
    "labels.answer": "The answer should be …",
    "labels.unknown": "unknown",
    "labels.why": "With the true answer there is a loss, and so there are gradients.",
  },
  zh: {
    "labels.title": "这其实是……",
    "labels.answer": "正确答案是……",
    "labels.unknown": "未知",
    "labels.why": "有了正确答案才有损失，也才有梯度。",
  },
});

/** What a model may be asked to answer: its classes, or 0 and 1 where it answers with a number, as XOR does. */
export const labelsOf = (model) => Array.from({ length: model.classes ?? 2 }, (_, index) => String(index));

/** One choice for each class and "unknown"; `chosen(label)` is called with "0", "1", … or "". */
export function createLabels(chosen) {
  const choices = el("div", { class: "choices" });
  const legend = el("legend", { t: "labels.title" });
  const why = el("p", { class: "faint small", t: "labels.why" });
  let shown = "";

  function choice(value, called) {
    const radio = el("input", { type: "radio", name: "label", value, on: { change: () => chosen(value) } });
    const name = value ? el("span", {}, called) : el("span", { t: "labels.unknown" });
    return el("label", { class: value ? "choice" : "choice unknown" }, radio, name);
  }

  return {
    element: el("fieldset", { class: "labels" }, legend, choices, why),
    /** The labels that a model can have, and which one holds. */
    show(model, label) {
      const labels = labelsOf(model);
      const names = labels.map((each) => className(model, each));
      if (shown !== names.join("\n")) {
        choices.replaceChildren(...labels.map((each, place) => choice(each, names[place])), choice(""));
        choices.classList.toggle("words", Boolean(model.class_names));
        shown = names.join("\n");
      }
      say(legend, seesImages(model) ? "labels.title" : "labels.answer");
      for (const radio of choices.querySelectorAll("input")) radio.checked = radio.value === label;
    },
  };
}
