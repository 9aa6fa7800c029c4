// A question with a few answers to choose from, and what is right.

import { el } from "../dom.js";
import { register, say } from "../i18n.js";

register({
  en: {
    "question.title": "Question",
    "question.reveal": "Show the answer",
    "question.choose": "Choose an answer first.",
    "question.right": "Right.",
    "question.wrong": "Not this time.",
  },
  zh: {
    "question.title": "问题",
    "question.reveal": "看答案",
    "question.choose": "请先选一个答案。",
    "question.right": "答对了。",
    "question.wrong": "这次不对。",
  },
});

let asked = 0;

/**
 * A card: `question` and `choices` are keys of texts, `right` is the key of the choice that is, `answer` that of the
 * explanation, into which `values` are put. `revealed` is called when the answer is shown.
 */
export function createQuestion({ question, choices, right, answer, values = {}, revealed = () => {} }) {
  const group = `question-${++asked}`;
  const radios = choices.map((key) => el("input", { type: "radio", name: group, value: key, on: { change: choose } }));
  const options = choices.map((key, place) => el("label", { class: "option" }, radios[place], el("span", { t: key })));
  const reveal = el("button", { class: "primary", t: "question.reveal", disabled: true, on: { click: show } });
  const hint = el("p", { class: "small faint", t: "question.choose" });
  const verdict = el("p", { class: "verdict-line" });
  const outcome = el("div", { class: "outcome stack", hidden: true, tabindex: "-1" }, verdict, el("p", { t: answer, values }));
  const legend = el("legend", { t: question });
  const controls = el("div", { class: "row" }, reveal, hint);

  function choose() {
    reveal.disabled = false;
    hint.hidden = true;
    if (!outcome.hidden) judge();
  }

  function judge() {
    const chosen = radios.find((radio) => radio.checked)?.value;
    say(verdict, chosen === right ? "question.right" : "question.wrong");
    verdict.className = `verdict-line ${chosen === right ? "good" : "bad"}`;
    options.forEach((option, place) => option.classList.toggle("right", choices[place] === right));
  }

  function show() {
    judge();
    outcome.hidden = false;
    controls.hidden = true;
    outcome.focus({ preventScroll: true });
    revealed();
  }

  const fieldset = el("fieldset", { class: "options" }, legend, ...options);
  const title = el("h3", { t: "question.title" });
  return { element: el("section", { class: "card stack question" }, title, fieldset, controls, outcome), outcome };
}
