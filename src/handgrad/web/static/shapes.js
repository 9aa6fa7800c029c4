// Shapes of arrays, and places in them.

/** How many numbers an array has. */
export const sizeOf = (shape) => shape.reduce((product, length) => product * length, 1);

export const shapeText = (shape) => shape.join(" × ");

/** The index of a number, from its place in row-major order. */
export function unravel(flat, shape) {
  const index = [];
  for (const length of [...shape].reverse()) {
    index.unshift(flat % length);
    flat = Math.floor(flat / length);
  }
  return index;
}

/** The place of an index in row-major order; -1 if it is none. */
export function ravel(index, shape) {
  if (index.length !== shape.length) return -1;
  return index.reduce((flat, at, axis) => (flat < 0 || !(at >= 0 && at < shape[axis]) ? -1 : flat * shape[axis] + at), 0);
}
