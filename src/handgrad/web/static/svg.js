// Drawing with SVG, whose colours follow the style sheet by themselves.

const SPACE = "http://www.w3.org/2000/svg";

/** An element: `svg("line", {x1: 0, class: "axis"}, children…)`. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.flat());
  return element;
}
