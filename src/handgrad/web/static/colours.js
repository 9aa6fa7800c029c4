// The colours of the style sheet, for pictures, and whether they are those of light or dark.

/** Where a colour is asked for: of a custom property the browser tells only how it is written. */
const probe = document.createElement("span");
probe.hidden = true;

let known = new Map(); // until the theme changes: to ask makes the browser look at its styles again

/** The colour of a custom property ("--accent") as CSS text without variables. */
export function colourOf(name) {
  if (!known.has(name)) {
    document.body.append(probe);
    probe.style.color = `var(${name})`;
    known.set(name, getComputedStyle(probe).color);
    probe.remove();
  }
  return known.get(name);
}

/** Its red, green and blue, from 0 to 255. */
export const rgbOf = (name) => colourOf(name).match(/[\d.]+/g).slice(0, 3).map(Number);

export const THEMES = ["auto", "light", "dark"];
const KEPT = "theme"; // under which the browser remembers it

/**
 * Keeps store.theme at the theme that is shown, "light" or "dark".
 * Returns the one that was chosen, of THEMES, and what chooses another.
 */
export function followTheme(store) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let chosen = saved();

  function show() {
    if (chosen === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = chosen;
    known = new Map();
    store.set({ theme: chosen === "auto" ? (dark.matches ? "dark" : "light") : chosen });
  }

  dark.addEventListener("change", show);
  show();
  return {
    chosen,
    choose(name) {
      chosen = name;
      save(name);
      show();
    },
  };
}

function saved() {
  try {
    const name = localStorage.getItem(KEPT);
    return THEMES.includes(name) ? name : "auto";
  } catch {
    return "auto"; // a browser that keeps nothing
  }
}

function save(name) {
  try {
    localStorage.setItem(KEPT, name);
  } catch {
    // it holds until the page is left
  }
}
