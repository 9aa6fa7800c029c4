// The view in which a digit is drawn and its way through the network followed.

import { el } from "./dom.js";
import * as draw from "./look/draw.js";
import * as inside from "./look/inside.js";

/** Drawing on the left, the network in the middle and on the right. */
export function mount(section, page) {
  const drawing = el("div", { class: "drawing stack" });
  const network = el("div", { class: "network stack" });
  section.append(drawing, network);
  draw.mount(drawing, page);
  inside.mount(network, page);
}
