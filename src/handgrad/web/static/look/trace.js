// The example's way through the network, as the server followed it: asked for whenever something of it changes.

import { getJSON, modelPath, postArrays } from "../api.js";
import { applyChange } from "./changes.js";
import { latest } from "../dom.js";
import { sizeOf } from "../shapes.js";

/** What of the state a trace depends on. */
const DEPENDS = ["input", "label", "model", "version", "optimizer", "updates", "edits", "change", "wanted"];

/** The body that says which example, with which changes; the same for traces, cells and checks. */
export function situationOf(state) {
  const input = applyChange(state.input, state.change, state.network?.raw_shape ?? []);
  const situation = { input: Array.from(input), label: state.label === "" ? null : Number(state.label) };
  if (updatesOf(state)) situation.updates = updatesOf(state);
  const optimizer = optimizerOf(state.optimizer);
  if (optimizer) situation.optimizer = optimizer;
  const edits = editsOf(state.edits, state.network);
  if (edits.length) situation.edits = edits;
  return situation;
}

/** As many as are allowed, and largest values of a rate, a factor and an offset; an address may say anything. */
export const MOST_UPDATES = 50;
export const MOST_EDITS = 32;
export const MOST = 1000;

/** How many updates were made; none without a label, since there is no gradient then. */
export function updatesOf({ updates, label }) {
  const count = Number(updates);
  return Number.isInteger(count) && count > 0 && label !== "" ? Math.min(MOST_UPDATES, count) : 0;
}

/** {name, learning_rate} from "adam,0.01"; null is the recipe's. */
export function optimizerOf(text) {
  const [name, rate] = text.split(",");
  return ["sgd", "adam"].includes(name) && Number(rate) > 0 && Number(rate) <= MOST ? { name, learning_rate: Number(rate) } : null;
}

/** [{parameter, index, factor, offset}] from "0.weight:3.5*0+1;0.bias:3*0", as far as the network has such weights. */
export function editsOf(text, network) {
  const shapes = new Map(network?.layers.flatMap((layer) => layer.parameters.map(({ name, shape }) => [name, shape])));
  return text.split(";").filter(Boolean).map((edit) => {
    const [, parameter, index, factor, offset] = /^([\w.]+):([\d.]*)\*([-\d.e]+)(?:\+([-\d.e]+))?$/.exec(edit) ?? [];
    return { parameter, index: index ? index.split(".").map(Number) : [], factor: Number(factor), offset: Number(offset ?? 0) };
  }).filter(({ parameter, index, factor, offset }) => {
    const shape = shapes.get(parameter);
    const isThere = shape && index.length <= shape.length && index.every((at, axis) => at < shape[axis]);
    return isThere && Math.abs(factor) <= MOST && Math.abs(offset) <= MOST;
  }).slice(-MOST_EDITS);
}

/** Whether a trace follows another input, or another network, than those that the address names: by a what-if or an update. */
export const isChanged = (state) => Boolean(editsOf(state.edits, state.network).length || state.change || updatesOf(state));

/**
 * Keeps store.trace ({about, arrays}) and store.network (what the server says of the model) up to date.
 * `wanted` in the store names arrays besides activations and gradients.
 */
export function followTraces({ store, complain }) {
  const refresh = latest(async () => {
    const state = store.get();
    if (!state.model) return;
    try {
      const network = state.network?.id === state.model ? state.network : await getJSON(modelPath(state.model));
      if (network !== state.network) store.set({ network, trace: null, wanted: "" });
      if (!state.input || state.input.length !== sizeOf(network.raw_shape)) {
        store.set({ trace: null }); // nothing is drawn, so there is nothing to follow
        return;
      }
      const arrays = names(network, store.get());
      const trace = await postArrays(modelPath(network.id, "trace"), { ...situationOf(state), arrays });
      if (store.get().model === network.id) store.set({ trace, probabilities: trace.about.probabilities });
    } catch (error) {
      if (store.get().model === state.model) complain(error); // else nobody waits for the answer any more
    }
  });
  store.subscribe(refresh, DEPENDS);
  refresh();
}

function names(network, state) {
  const places = [...network.layers.keys(), network.layers.length];
  const kinds = state.label === "" ? ["activation"] : ["activation", "gradient"];
  const further = (state.wanted ?? "").split(" ").filter((name) => name && (state.label !== "" || name.startsWith("parameter.")));
  return [...kinds.flatMap((kind) => places.map((place) => `${kind}.${place}`)), ...further];
}
