// What the page shows, as one value: kept in the address, so that a link brings another person to the same place.

/** What goes into the address, with what holds where it is not there. */
const SHARED = {
  view: "look",
  model: "",
  example: "",
  label: "",
  step: "",
  cell: "",
  optimizer: "",
  updates: "0",
  edits: "",
  change: "",
  compared: "",
  training: "",
  lesson: "",
  lang: "",
};

/** In the address, the label of a picture of the data that was taken away. In the store it is "", and `unlabelled` holds. */
export const UNKNOWN = "unknown";

const USUAL = { ...SHARED, unlabelled: false };

/**
 * A store of named values. Those of SHARED are strings in the address; any other stays in memory.
 * Listeners are called with the state and the set of names that changed.
 */
export function createStore(place = window) {
  const listeners = new Set();
  let state = { ...USUAL, ...read(place.location.hash) };

  function change(changes, write) {
    const changed = new Set(Object.keys(changes).filter((name) => !Object.is(state[name], changes[name])));
    if (!changed.size) return;
    const before = address(state);
    state = { ...state, ...changes };
    const now = address(state);
    // Only where it differs: browsers ration changes of the address, and a pen that moves changes the rest of the state often.
    if (now !== before) place.history[write](null, "", now || place.location.pathname);
    notify(changed);
  }

  function notify(changed) {
    for (const listener of [...listeners]) listener(state, changed);
  }

  // Another address was entered, or the Back button brought an earlier one.
  place.addEventListener("hashchange", () => {
    const before = state;
    state = { ...state, ...USUAL, ...read(place.location.hash) };
    notify(new Set(Object.keys(SHARED).filter((name) => before[name] !== state[name])));
  });

  return {
    get: () => state,
    set: (changes) => change(changes, "replaceState"),
    /** As `set`, for where somebody goes: the Back button returns to what was shown before. */
    visit: (changes) => change(changes, "pushState"),
    /** Calls `listener` after changes, of the given names only if there are any; returns what ends that. */
    subscribe(listener, names) {
      const filtered = names ? (now, changed) => names.some((name) => changed.has(name)) && listener(now, changed) : listener;
      listeners.add(filtered);
      return () => listeners.delete(filtered);
    },
  };
}

/** The values that an address holds; what it does not know is left out. */
export function read(hash) {
  const written = new URLSearchParams(hash.replace(/^#/, ""));
  const found = Object.fromEntries([...written].filter(([name]) => name in SHARED));
  return found.label === UNKNOWN ? { ...found, label: "", unlabelled: true } : found;
}

/** The address of a state, without what is as it would be anyway. */
export function address(state) {
  const written = state.unlabelled ? { ...state, label: UNKNOWN } : state;
  const shown = Object.entries(SHARED).filter(([name, usual]) => String(written[name] ?? "") !== usual);
  const text = shown.map(([name]) => `${name}=${encodeURIComponent(written[name]).replace(/%2F/g, "/").replace(/%3A/g, ":")}`);
  return text.length ? `#${text.join("&")}` : "";
}
