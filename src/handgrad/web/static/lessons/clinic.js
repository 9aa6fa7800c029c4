// Six lessons of one kind: a network that something is wrong with, to be diagnosed from what was measured.

import { el, number, percent } from "../dom.js";
import { createCurve } from "./curve.js";
import { findingsList } from "./findings.js";
import { confusionTable, createMeasuring, figures, layerTable, measure, pointsOf } from "./measured.js";
import { createQuestion } from "./question.js";
import "./clinic_words.js";

/** What may be the matter, in the order in which it is offered; the lesson's own name is right. */
export const CASES = {
  pixels: ["zeros", "order", "pixels", "low"],
  sum: ["leak", "sum", "depth", "pixels"],
  zeros: ["low", "order", "depth", "zeros"],
  depth: ["depth", "pixels", "leak", "order"],
  order: ["low", "zeros", "order", "pixels"],
  leak: ["order", "good", "low", "leak"],
};

/** Makes the function that makes the parts of one of them. */
export const create = (name) => (page) => {
  const curve = createCurve();
  const guide = { guide: Math.log(10) };
  const seen = el("div", { class: "stack later", hidden: true });
  const rest = el("div", { class: "stack later", hidden: true });

  const measuring = createMeasuring("clinic.measure", async () => {
    const network = await measure(name, "broken");
    curve.show([{ name: "clinic.broken", points: pointsOf(network) }], guide);
    const pictures = el("div", { class: "pictures" }, layerTable(network), confusionTable(network));
    const legend = el("p", { class: "small faint", t: "clinic.guide" });
    const symptoms = el("section", { class: "card stack" }, setting(network), figures([network]), curve.element, legend);
    seen.replaceChildren(symptoms, el("section", { class: "card" }, pictures));
    seen.hidden = false;
    ask(network);
    return network.about.seconds;
  }, page.complain);

  function ask(network) {
    const question = createQuestion({
      question: "clinic.question",
      choices: CASES[name].map((cause) => `cause.${cause}`),
      right: `cause.${name}`,
      answer: `clinic.${name}.answer`,
      values: valuesOf(network),
      revealed: () => question.outcome.append(...outcome(network).filter(Boolean)),
    });
    rest.replaceChildren(question.element);
    rest.hidden = false;
  }

  function outcome(broken) {
    const findings = findingsList(broken.about.findings);
    page.store.subscribe(findings.say, ["lang"]);
    const mended = el("div", { class: "stack", hidden: true });
    const mending = createMeasuring("clinic.mend", async () => {
      const fixed = await measure(name, "fixed");
      const both = createCurve();
      mended.replaceChildren(settingOf(fixed) ?? "", figures([broken, fixed], ["clinic.broken", "clinic.fixed"]), both.element);
      mended.hidden = false;
      both.show([broken, fixed].map((network, place) => ({ name: ["clinic.broken", "clinic.fixed"][place], points: pointsOf(network) })), guide);
      return fixed.about.seconds;
    }, page.complain);
    return [settingOf(broken), findings.element, el("p", { t: `clinic.${name}.mend` }), mending.element, mended];
  }

  return {
    parts: [el("section", { class: "card stack" }, el("p", { t: "clinic.do" }), measuring.element), seen, rest],
  };
};

/** How it was trained, without what is wrong about it. */
function setting({ about }) {
  const layers = about.layers.map(({ before }) => before.title);
  const text = layers.length > 6 ? [...layers.slice(0, 3), "…", ...layers.slice(-2)] : layers;
  return el("div", {}, el("p", { class: "small" }, text.join(" · ")), el("p", {
    class: "small faint",
    t: "clinic.setting",
    values: { examples: about.examples.toLocaleString("en"), epochs: about.epochs, batch: about.batch_size, rate: about.learning_rate },
  }));
}

/** The line of the recipe that the lesson is about. */
function settingOf({ about }) {
  const [place, value] = Object.entries(about.setting)[0] ?? [];
  return place ? el("p", {}, el("code", {}, `${place} = "${value}"`)) : null;
}

/** Figures for the explanation, all of them measured. */
function valuesOf({ about, arrays: { confusion } }) {
  const layers = about.layers.filter(({ before }) => before.gradient !== null);
  const answers = Array.from({ length: 10 }, (_, digit) => confusion.data.reduce((total, count, place) => total + (place % 10 === digit ? count : 0), 0));
  return {
    first: number(about.first_loss, 3),
    input: number(about.input.size, 3),
    idle: percent(Math.max(...about.layers.map(({ after }) => after.idle ?? 0)), 0),
    bottom: number(layers[0].before.gradient, 2),
    top: number(layers.at(-1).before.gradient, 2),
    most: percent(Math.max(...answers) / about.scores.test.count, 0),
    test: percent(about.scores.test.accuracy),
    fresh: percent(about.scores.fresh.accuracy),
  };
}
