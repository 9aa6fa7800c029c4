// The view of lessons: one screen each, with a goal, something to do, and a question.

import { el } from "../dom.js";
import { register, translate } from "../i18n.js";
import * as clinic from "./clinic.js";
import * as points from "./points.js";
import * as start from "./start.js";
import * as xor from "./xor.js";

register({
  en: {
    "lessons.title": "Lessons",
    "lessons.position": "Lesson {number} of {count}",
    "lessons.previous": "Previous lesson",
    "lessons.next": "Next lesson",
  },
  zh: {
    "lessons.title": "课程",
    "lessons.position": "第 {number} 课，共 {count} 课",
    "lessons.previous": "上一课",
    "lessons.next": "下一课",
  },
});

/** Every lesson by its name, in order: what makes its parts. */
const LESSONS = {
  xor: xor.create,
  points: points.create,
  start: start.create,
  ...Object.fromEntries(Object.keys(clinic.CASES).map((name) => [name, clinic.create(name)])),
};
const NAMES = Object.keys(LESSONS);

/** The list of lessons, and the chosen one; a lesson is made when it is first looked at. */
export function mount(section, page) {
  const { store } = page;
  const made = new Map();
  let shown = null;

  const tabs = NAMES.map((name) => el("button", { t: `lesson.${name}`, on: { click: () => store.visit({ lesson: name }) } }));
  const list = el("ol", { class: "lesson-list" }, ...tabs.map((tab) => el("li", {}, tab)));
  const place = el("div");
  section.append(el("nav", { class: "lesson-nav", label: "lessons.title" }, el("h2", { t: "lessons.title" }), list), place);

  function lesson(name) {
    if (made.has(name)) return made.get(name);
    const { parts, leave } = LESSONS[name](page); // `leave` only where there is something to end
    const position = el("p", { class: "small faint", t: "lessons.position", values: { number: NAMES.indexOf(name) + 1, count: NAMES.length } });
    const heading = el("h2", { class: "lesson-heading", t: `lesson.${name}`, tabindex: "-1" });
    const goal = el("p", { class: "goal", t: `${name}.goal` });
    const element = el("article", { class: "lesson stack" }, el("header", { class: "stack" }, position, heading, goal), ...parts, ends(name));
    made.set(name, { element, leave, heading });
    return made.get(name);
  }

  function ends(name) {
    const [before, after] = [NAMES[NAMES.indexOf(name) - 1], NAMES[NAMES.indexOf(name) + 1]];
    const go = (to) => {
      store.visit({ lesson: to });
      made.get(to).heading.focus();
      scrollTo({ top: 0 });
    };
    return el("footer", { class: "row lesson-ends" },
      before ? el("button", { t: "lessons.previous", on: { click: () => go(before) } }) : null,
      after ? el("button", { t: "lessons.next", on: { click: () => go(after) } }) : null);
  }

  function show() {
    const { view, lesson: wanted } = store.get();
    const name = view === "lessons" ? (NAMES.includes(wanted) ? wanted : NAMES[0]) : null;
    if (name === shown) return;
    if (shown) made.get(shown).leave?.();
    shown = name;
    if (!name) return;
    NAMES.forEach((one, index) => tabs[index].setAttribute("aria-current", one === name ? "page" : "false"));
    const { element } = lesson(name);
    translate(element); // it may have been away while the language changed
    place.replaceChildren(element);
  }

  store.subscribe(show, ["view", "lesson"]);
  show();
}
