// The steps of a pass: the input, each layer forward, the loss, each layer backward, the update.

/**
 * What a step is: {kind: "input" | "forward" | "loss" | "backward" | "update", layer}.
 * With K layers there are 2K + 3 of them, counted from 0.
 */
export function stepAt(number, layers) {
  if (number <= 0) return { kind: "input", layer: null };
  if (number <= layers) return { kind: "forward", layer: number - 1 };
  if (number === layers + 1) return { kind: "loss", layer: null };
  if (number <= 2 * layers + 1) return { kind: "backward", layer: 2 * layers + 1 - number };
  return { kind: "update", layer: null };
}

export const lastStep = (layers) => 2 * layers + 2;

/** The step that the state names, or the last one where it names none. */
export function currentStep(state) {
  const layers = state.network.layers.length;
  const number = state.step === "" ? lastStep(layers) : Number(state.step);
  return Number.isInteger(number) ? Math.max(0, Math.min(lastStep(layers), number)) : lastStep(layers);
}

/** Whether an array has been computed when a step is done. */
export function isComputed(array, step, layers, owner) {
  const [kind, name] = splitName(array);
  if (kind === "activation") return step >= Number(name);
  if (kind === "gradient") return step >= 2 * layers + 1 - Number(name);
  if (kind === "parameter_gradient") return step >= 2 * layers + 1 - owner;
  if (kind === "probabilities" || kind === "loss") return step >= layers + 1;
  if (kind === "parameter") return true;
  return step >= lastStep(layers);
}

/** ["parameter_gradient", "0.weight"] of "parameter_gradient.0.weight". */
export function splitName(array) {
  const point = array.indexOf(".");
  return point < 0 ? [array, ""] : [array.slice(0, point), array.slice(point + 1)];
}

/** {array, index} from "activation.1:3,4,5"; null where none is chosen. */
export function cellOf(text) {
  const [, array, index] = /^([\w.]+):([\d,]*)$/.exec(text) ?? [];
  return array ? { array, index: index ? index.split(",").map(Number) : [] } : null;
}

export const cellText = (array, index) => `${array}:${index.join(",")}`;
