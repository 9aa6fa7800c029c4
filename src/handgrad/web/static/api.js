// Asking the server. Arrays come as safetensors: the length of a header, the header in JSON, then the numbers.

/** An answer that was refused; its message is the server's sentence. */
export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("", 0); // the server does not answer
  }
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({}));
    throw new Refused(said.error ?? answer.statusText, answer.status);
  }
  return answer;
}

const json = (body, signal) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
  signal,
});

export const getJSON = async (path, signal) => (await ask(path, { signal })).json();

export const postJSON = async (path, body, signal) => (await ask(path, json(body, signal))).json();

export const postBytes = async (path, bytes, signal) =>
  (await ask(path, { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: bytes, signal })).json();

export const getArrays = async (path, signal) => parseArrays(await (await ask(path, { signal })).arrayBuffer());

export const postArrays = async (path, body, signal) =>
  parseArrays(await (await ask(path, json(body, signal))).arrayBuffer());

/** {about, arrays: {name: {shape, data}}} from the bytes of a safetensors file of float32 numbers. */
export function parseArrays(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const { __metadata__: metadata = {}, ...entries } = header;
  const arrays = {};
  for (const [name, { shape, data_offsets: [begin, end] }] of Object.entries(entries)) {
    // Copied, since a Float32Array must begin at a multiple of four.
    arrays[name] = { shape, data: new Float32Array(buffer.slice(8 + length + begin, 8 + length + end)) };
  }
  return { about: metadata.about ? JSON.parse(metadata.about) : {}, arrays };
}
