// Changes of the input, written as words that fit into the address: "rotate,15;noise,0.2;cover,10.12".

/** How many pixels a side a cover has. */
export const COVER = 7;

/** {rotate: degrees, noise: share, covers: [[row, column], …]} of such words. */
export function readChange(text) {
  const change = { rotate: 0, noise: 0, covers: [] };
  for (const [kind, value] of text.split(";").map((word) => word.split(","))) {
    if (kind === "cover" && /^\d+\.\d+$/.test(value)) change.covers.push(value.split(".").map(Number));
    else if (kind === "rotate" && Math.abs(Number(value)) <= 180) change.rotate = Number(value);
    else if (kind === "noise" && Number(value) >= 0 && Number(value) <= 1) change.noise = Number(value);
  }
  return change;
}

export function writeChange({ rotate, noise, covers }) {
  const words = covers.slice(-20).map(([row, column]) => `cover,${row}.${column}`);
  if (rotate) words.push(`rotate,${rotate}`);
  if (noise) words.push(`noise,${noise}`);
  return words.join(";");
}

/** The input after turning, adding noise and covering, in this order; numbers from 0 to 255 of an image (height, width). */
export function applyChange(input, text, [height, width]) {
  const change = readChange(text);
  if (!text || !width) return input;
  let pixels = Float32Array.from(input);
  if (change.rotate) pixels = turned(pixels, height, width, (change.rotate * Math.PI) / 180);
  if (change.noise) pixels = noisy(pixels, change.noise);
  for (const [row, column] of change.covers) cover(pixels, height, width, row, column);
  return pixels.map((value) => Math.round(Math.max(0, Math.min(255, value))));
}

/** Turned about its middle, each pixel from the four around the place that it came from. */
function turned(pixels, height, width, angle) {
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const [middleRow, middleColumn] = [(height - 1) / 2, (width - 1) / 2];
  const at = (row, column) => (row >= 0 && row < height && column >= 0 && column < width ? pixels[row * width + column] : 0);
  return Float32Array.from(pixels, (_, flat) => {
    const [down, across] = [Math.floor(flat / width) - middleRow, (flat % width) - middleColumn];
    const row = cosine * down - sine * across + middleRow;
    const column = sine * down + cosine * across + middleColumn;
    const [top, left] = [Math.floor(row), Math.floor(column)];
    const [below, right] = [row - top, column - left];
    return (1 - below) * ((1 - right) * at(top, left) + right * at(top, left + 1))
      + below * ((1 - right) * at(top + 1, left) + right * at(top + 1, left + 1));
  });
}

/** The same noise every time, so that a link shows the same: uniform, from a small generator with a fixed seed. */
function noisy(pixels, share) {
  let state = 42;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes' constants
    return state / 2 ** 32;
  };
  return pixels.map((value) => value + 255 * share * (2 * random() - 1));
}

function cover(pixels, height, width, row, column) {
  const reach = (COVER - 1) / 2;
  for (let down = Math.max(0, row - reach); down <= Math.min(height - 1, row + reach); down += 1) {
    pixels.fill(0, down * width + Math.max(0, column - reach), down * width + Math.min(width - 1, column + reach) + 1);
  }
}
