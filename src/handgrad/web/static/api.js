// Asking the server. Arrays come as safetensors: the length of a header, the header in JSON, then the numbers.

/** An answer that was refused; its message is the server's sentence, its status 0 where the server does not answer. */
export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Where the server answers for the model of that id: `modelPath("runs/first", "trace")`. */
export const modelPath = (id, rest = "") => `/api/models/${id.split("/").map(encodeURIComponent).join("/")}${rest && `/${rest}`}`;

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Refused("", 0);
  }
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({}));
    throw new Refused(said.error ?? answer.statusText, answer.status);
  }
  return answer;
}

const post = (body, type) => ({ method: "POST", headers: { "Content-Type": type }, body });
const json = (body) => post(JSON.stringify(body), "application/json");

export const getJSON = async (path) => (await ask(path)).json();

/** The JSON that a JSON is answered with; further options are those of `fetch`. */
export const postJSON = async (path, body, options = {}) => (await ask(path, { ...json(body), ...options })).json();

export const postBytes = async (path, bytes) => (await ask(path, post(bytes, "application/octet-stream"))).json();

export const getArrays = async (path) => parseArrays(await (await ask(path)).arrayBuffer());

export const postArrays = async (path, body) => parseArrays(await (await ask(path, json(body))).arrayBuffer());

/** {about, arrays: {name: {shape, data}}} from the bytes of a safetensors file of float32 numbers. */
function parseArrays(buffer) {
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
