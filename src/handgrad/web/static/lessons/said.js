// Texts that are put there later, and again when the language changes.

import { t } from "../i18n.js";

export { say } from "../seen.js";

/** Give an element its spoken name. */
export function describe(element, key, values = {}) {
  Object.assign(element.dataset, { tLabel: key, tValues: JSON.stringify(values) });
  element.setAttribute("aria-label", t(key, values));
}
