// Inside the network: the stepper, the picture of the layers, and what is said of one number.

import { el } from "../dom.js";
import * as cell from "./cell.js";
import * as formulas from "./formulas.js";
import * as network from "./network.js";
import * as stepper from "./stepper.js";
import * as update from "./update.js";
import { followTraces } from "./trace.js";
import * as whatif from "./whatif.js";

/** The stepper above, the layers in the middle, the explanation beside them. */
export function mount(element, page) {
  const layers = el("div", { class: "stack layers-column" });
  const explanation = el("aside", { class: "stack explanation" });
  stepper.mount(element, page);
  element.append(el("div", { class: "inside-columns" }, layers, explanation));
  network.mount(layers, page);
  update.mount(layers, page);
  cell.mount(explanation, page);
  formulas.mount(explanation, page);
  whatif.mount(explanation, page);
  followTraces(page);
}
