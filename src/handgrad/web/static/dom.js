// Making elements, and small help with them.

import { t } from "./i18n.js";

/**
 * An element: `el("button", {class: "quiet", t: "draw.clear", on: {click: …}}, children…)`.
 * `t` is the key of its text and `label` that of its spoken name; `data` becomes data attributes; a property that the
 * element has (value, disabled, textContent) is set, anything else becomes an attribute.
 */
export function el(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  const { t: key, label, values, on = {}, data = {}, class: names, ...others } = options;
  if (names) element.className = names;
  if (values) element.dataset.tValues = JSON.stringify(values);
  if (key) {
    element.dataset.t = key;
    element.textContent = t(key, values);
  }
  if (label) {
    element.dataset.tLabel = label;
    element.setAttribute("aria-label", t(label, values));
    if (element.matches("button, canvas, a")) element.title = t(label, values);
  }
  Object.assign(element.dataset, data);
  for (const [name, value] of Object.entries(others)) {
    if (name in element && typeof value !== "string") element[name] = value;
    else if (value !== false && value !== undefined && value !== null) element.setAttribute(name, value === true ? "" : value);
  }
  for (const [event, listener] of Object.entries(on)) element.addEventListener(event, listener);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Put a formula that the server typeset into the page. */
export function mathematics(markup, options = {}) {
  const element = el("span", { class: "formula", ...options });
  const parsed = new DOMParser().parseFromString(markup, "application/xml").documentElement;
  element.append(document.importNode(parsed, true));
  return element;
}

/** A formula on lines of its own, broken where the server found room to. */
export function formula(stated) {
  return el("div", { class: "formula block" }, ...stated.lines.map((line) => mathematics(line)));
}

/** A box for a table that may be too wide, which can then be moved by keys; `label` and `values` name it. */
export const scrolling = (label, table, values) => el("div", { class: "scroll", tabindex: "0", role: "group", label, values }, table);

/** Put options into a select, if they differ from those that it has: that would close a list that is open. */
export function offer(select, options) {
  const holder = el("div", {}, options); // a select would choose among them, and each would stay chosen
  if (holder.innerHTML !== select.innerHTML) select.replaceChildren(...holder.children);
}

/** Arrow keys, Home and End go from one of a container's parts to the next; Tab then leaves them all. */
export function moveWithArrows(container, parts, moved) {
  container.addEventListener("keydown", (event) => {
    const all = [...container.querySelectorAll(parts)];
    const here = all.indexOf(document.activeElement);
    const target = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: all.length - 1 }[event.key];
    const part = all[target];
    if (here < 0 || !part) return;
    event.preventDefault();
    all.forEach((each) => (each.tabIndex = each === part ? 0 : -1));
    part.focus();
    moved(part);
  });
}

/** Say something to those who do not see the page. */
export function announce(text) {
  document.getElementById("status").textContent = text;
}

/** Call a function once no more calls came for so many milliseconds. */
export function debounced(milliseconds, action) {
  let timer;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...given), milliseconds);
  };
}

/**
 * Runs an asynchronous action again and again without overlap: while one runs, only the latest further call waits.
 */
export function latest(action) {
  let running = false;
  let waiting = null;
  return async function call(...given) {
    if (running) {
      waiting = given;
      return;
    }
    running = true;
    try {
      await action(...given);
    } finally {
      running = false;
      if (waiting) {
        const next = waiting;
        waiting = null;
        call(...next);
      }
    }
  };
}

/** A number for reading: so many significant digits, one fewer beside a power of ten, and a real minus sign. */
export function number(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 1e6 || size < 1e-4 ? size.toExponential(digits - 2) : String(Number(size.toPrecision(digits)));
  const [digitsOnly, power] = text.split("e");
  const shown = power ? `${digitsOnly}·10${superscript(Number(power))}` : digitsOnly;
  return value < 0 ? `−${shown}` : shown;
}

const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

const superscript = (power) => [...String(power)].map((letter) => RAISED[letter]).join("");

/** A share as a percentage. */
export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
