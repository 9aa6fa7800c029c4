// An example as a word in the address: "test-17", "drawn-" and the pixels, or "values-0,1".

import { sizeOf } from "./shapes.js";

const LEVELS = 15; // four bits a pixel: nobody sees more, and a link stays short
const STEP = 255 / LEVELS;

/** Whether a model looks at pictures in grey levels. */
export const seesGrey = (model) => model.raw_shape.length === 2;

/** Whether a model looks at pictures, in grey levels or in colours, rather than at a few numbers. */
export const seesImages = (model) => seesGrey(model) || (model.raw_shape.length === 3 && model.raw_shape[2] === 3);

/** Whether what is drawn on the pad can be prepared for a model. */
export const seesDrawings = (model) => seesGrey(model) && model.raw_shape[0] === model.raw_shape[1] && model.classes !== null;

/** The bytes that a text in base64 stands for, in the usual alphabet or in that for addresses. */
export function fromBase64(text) {
  const letters = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  const bytes = new Uint8Array(letters.length);
  for (let place = 0; place < bytes.length; place++) bytes[place] = letters.charCodeAt(place);
  return bytes;
}

/** Grey levels rounded to the sixteen that an address can hold. */
export const rounded = (pixels) => Uint8Array.from(pixels, (level) => Math.round(level / STEP) * STEP);

/** Grey levels as an example: two pixels a byte, base64 in the alphabet for addresses. */
export function drawnExample(pixels) {
  const bytes = new Uint8Array(Math.ceil(pixels.length / 2));
  pixels.forEach((level, place) => (bytes[place >> 1] |= Math.round(level / STEP) << (place % 2 ? 0 : 4)));
  const text = btoa(String.fromCharCode(...bytes));
  return `drawn-${text.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")}`;
}

/**
 * What an example names: {kind: "test", index}, {kind: "drawn", input} or {kind: "values", input}.
 * Null where it is damaged, or not for this model.
 */
export function readExample(example, model) {
  const [, kind, rest] = /^(test|drawn|values)-(.+)$/.exec(example) ?? [];
  if (kind === "test" && /^\d{1,7}$/.test(rest)) return { kind, index: Number(rest) };
  if (kind === "drawn" && seesDrawings(model)) return readPixels(rest, sizeOf(model.raw_shape));
  if (kind === "values" && !seesImages(model)) return readValues(rest, sizeOf(model.raw_shape));
  return null;
}

function readPixels(text, size) {
  if (!/^[\w-]+$/.test(text) || text.length % 4 === 1) return null;
  const bytes = fromBase64(text);
  if (bytes.length !== Math.ceil(size / 2)) return null;
  const level = (_, place) => STEP * (place % 2 ? bytes[place >> 1] & LEVELS : bytes[place >> 1] >> 4);
  return { kind: "drawn", input: Uint8Array.from({ length: size }, level) };
}

function readValues(text, size) {
  const input = text.split(",").map(Number);
  return input.length === size && input.every(Number.isFinite) ? { kind: "values", input } : null;
}

/** What a class of a model is called: by its data, or by its number. */
export const className = (model, label) => model.class_names?.[Number(label)] ?? String(label);

/** A class with its English article: a 7, an 8, an owl. */
export const withArticle = (label) => `${/^(8|11$|18$|[aeiou])/i.test(String(label)) ? "an" : "a"} ${label}`;
