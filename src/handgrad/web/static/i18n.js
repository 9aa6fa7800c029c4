// Every word of the page, in English and Chinese. A module registers its own beside the code that shows them.

const words = { en: {}, zh: {} };
let language = "en";

/** Add a module's words: {en: {key: text}, zh: {key: text}}; both must have the same keys. */
export function register(added) {
  for (const name of Object.keys(words)) Object.assign(words[name], added[name]);
}

/** A text in the chosen language, with {name} replaced by values.name. */
export function t(key, values = {}) {
  const text = words[language][key] ?? words.en[key];
  if (text === undefined) throw new Error(`no text for ${key}`);
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

export const languages = { en: "English", zh: "中文" };

export const currentLanguage = () => language;

/** The browser's language, if the page has it. */
export const preferredLanguage = () => (navigator.language.startsWith("zh") ? "zh" : "en");

/** Choose a language, and put it into every element that names its text. */
export function speak(name) {
  language = name in words ? name : "en";
  document.documentElement.lang = language === "zh" ? "zh-Hans" : language;
  translate(document);
}

/** Put the texts into the elements below one that carry data-t (content) or data-t-label (spoken name and tooltip). */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-t]")) {
    element.textContent = t(element.dataset.t, JSON.parse(element.dataset.tValues ?? "{}"));
  }
  for (const element of root.querySelectorAll("[data-t-label]")) {
    const text = t(element.dataset.tLabel, JSON.parse(element.dataset.tValues ?? "{}"));
    element.setAttribute("aria-label", text);
    if (element.matches("button, canvas, a")) element.title = text;
  }
}

/** Put a text into an element, to be put there again when the language changes. */
export function say(element, key, values = {}) {
  const held = JSON.stringify(values);
  if (element.dataset.t === key && element.dataset.tValues === held) return;
  Object.assign(element.dataset, { t: key, tValues: held });
  element.textContent = t(key, values);
}

/** Give an element its spoken name, again when the language changes. */
export function describe(element, key, values = {}) {
  Object.assign(element.dataset, { tLabel: key, tValues: JSON.stringify(values) });
  element.setAttribute("aria-label", t(key, values));
}

/** For tests: every text. */
export const allWords = () => words;
