// The pad: strokes drawn by mouse, touch, pen or keyboard, kept as points so that undo and resizing are exact.

import { colourOf } from "../colours.js";
import { announce, el } from "../dom.js";
import { register, t } from "../i18n.js";

register({
  en: {
    "pad.title": "Draw a digit",
    "pad.invite": "Draw a digit here, from 0 to 9",
    "pad.help": "Arrow keys move the pen, with Shift in small steps. Space lowers and lifts it. Backspace undoes, Escape clears.",
    "pad.brush": "Brush",
    "pad.undo": "Undo",
    "pad.clear": "Clear",
    "pad.down": "Pen down",
    "pad.up": "Pen up",
    "pad.undone": "Stroke taken back",
    "pad.cleared": "Pad cleared",
  },
  zh: {
    "pad.title": "画一个数字",
    "pad.invite": "在这里画一个数字，0 到 9",
    "pad.help": "方向键移动画笔，按住 Shift 时步子更小。空格键落笔、提笔，退格键撤销，Esc 键清空。",
    "pad.brush": "笔粗",
    "pad.undo": "撤销",
    "pad.clear": "清空",
    "pad.down": "落笔",
    "pad.up": "提笔",
    "pad.undone": "已撤销一笔",
    "pad.cleared": "已清空",
  },
});

/** Height and width of what is sent: four pixels for each of MNIST's. */
export const SENT = 112;

const STEP = 1 / 28; // of an arrow key, as a part of the pad
const SMALL_STEP = STEP / 4;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * A pad. `changed()` is called after every change of the drawing.
 * Points and widths are parts of the pad's side, so that they hold at any size.
 */
export function createPad(changed) {
  const canvas = el("canvas", { class: "pad", id: "pad", tabIndex: 0, role: "application" });
  canvas.setAttribute("aria-labelledby", "pad-title");
  canvas.setAttribute("aria-describedby", "pad-help");
  const drawing = createDrawing(changed, () => refresh());
  const invitation = el("p", { class: "invitation", t: "pad.invite" });
  const help = el("p", { class: "help small", id: "pad-help", t: "pad.help" });
  const tools = createTools(drawing);
  const pen = createPen(drawing, tools.width);

  // Asking for sizes and colours makes a browser lay out the whole page, so it is not done for every move.
  const look = { side: 1, ink: "", accent: "" };

  function refresh() {
    help.classList.toggle("known", pen.shown && !drawing.isEmpty()); // it would cover what is drawn
    invitation.hidden = !drawing.isEmpty() || pen.shown;
    tools.refresh();
    paintPad(canvas, look, drawing.strokes(), pen, tools.width());
  }

  function measure() {
    const side = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
    Object.assign(look, { side, ink: getComputedStyle(canvas).color, accent: colourOf("--accent") });
    refresh();
  }

  listenToPointer(canvas, drawing, pen, tools.width);
  listenToKeys(canvas, drawing, pen, refresh);
  new ResizeObserver(measure).observe(canvas);
  const frame = el("div", { class: "pad-frame" }, canvas, invitation, help);
  return {
    element: el("div", { class: "stack" }, el("h2", { id: "pad-title", t: "pad.title" }), frame, tools.element),
    isEmpty: drawing.isEmpty,
    isDrawing: drawing.isDrawing,
    /** Empty the pad without a call of `changed`; undo brings the drawing back. */
    putAside: drawing.putAside,
    pixels: () => inkOf(drawing.strokes()),
    measure,
  };
}

/** The strokes, and what can be done to them. */
function createDrawing(changed, refresh) {
  let strokes = [];
  let aside = []; // what was cleared last, for undo
  let current = null;

  const act = (action) => (...given) => {
    if (action(...given) === false) return;
    refresh();
    changed();
  };
  const putAside = () => {
    if (strokes.length) aside = strokes;
    strokes = [];
    current = null;
    refresh();
  };
  return {
    strokes: () => strokes,
    isEmpty: () => !strokes.length,
    isDrawing: () => current !== null,
    canUndo: () => strokes.length > 0 || aside.length > 0,
    putAside,
    begin: act((point, width) => {
      current = { points: [point], width };
      strokes = [...strokes, current];
    }),
    extend: act((points) => (current && points.length ? void current.points.push(...points) : false)),
    end: act(() => (current ? void (current = null) : false)),
    undo: act(() => {
      current = null;
      if (strokes.length) strokes = strokes.slice(0, -1);
      else if (aside.length) [strokes, aside] = [aside, []];
      else return false;
      announce(t("pad.undone"));
    }),
    clear: act(() => {
      if (!strokes.length) return false;
      putAside();
      announce(t("pad.cleared"));
    }),
  };
}

function createTools(drawing) {
  const slider = el("input", { type: "range", min: "1", max: "5", step: "0.25", value: "2.5", id: "pad-brush" });
  const dot = el("span", { class: "brush-dot", "aria-hidden": "true" });
  const undo = el("button", { t: "pad.undo", on: { click: drawing.undo } });
  const clear = el("button", { t: "pad.clear", on: { click: drawing.clear } });
  const width = () => Number(slider.value) / 28; // the slider counts in MNIST's pixels
  const showDot = () => dot.style.setProperty("--brush", String(width()));
  slider.addEventListener("input", showDot);
  showDot();
  const brush = el("label", { class: "brush" }, el("span", { t: "pad.brush" }), slider, el("span", { class: "brush-room" }, dot));
  return {
    element: el("div", { class: "row pad-tools" }, undo, clear, brush),
    width,
    refresh() {
      undo.disabled = !drawing.canUndo();
      clear.disabled = drawing.isEmpty();
    },
  };
}

function listenToPointer(canvas, drawing, pen, width) {
  let active = null; // one finger draws; a palm beside it does not
  const box = { left: 0, top: 0, side: 1 }; // on the page, which may be scrolled meanwhile
  const place = (event) => [(event.pageX - box.left) / box.side, (event.pageY - box.top) / box.side];
  canvas.addEventListener("pointerdown", (event) => {
    if (active !== null || event.button !== 0) return;
    active = event.pointerId;
    canvas.setPointerCapture(active);
    pen.putDown();
    const { left, top, width: side } = canvas.getBoundingClientRect();
    Object.assign(box, { left: left + scrollX, top: top + scrollY, side });
    drawing.begin(place(event), width());
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== active) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    drawing.extend((passed.length ? passed : [event]).map(place));
  });
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
    canvas.addEventListener(name, (event) => {
      if (event.pointerId !== active) return;
      active = null;
      drawing.end();
    });
  }
}

/** The pen that the keyboard moves: where it is, whether it draws, whether it is shown. */
function createPen(drawing, width) {
  const pen = { x: 0.5, y: 0.5, down: false, shown: false };
  const within = (part) => Math.min(1, Math.max(0, part));
  return Object.assign(pen, {
    move(across, down) {
      Object.assign(pen, { x: within(pen.x + across), y: within(pen.y + down), shown: true });
      if (pen.down) drawing.extend([[pen.x, pen.y]]);
    },
    toggle() {
      Object.assign(pen, { down: !pen.down, shown: true });
      if (pen.down) drawing.begin([pen.x, pen.y], width());
      else drawing.end();
      announce(t(pen.down ? "pad.down" : "pad.up"));
    },
    putDown() {
      if (pen.down) drawing.end();
      Object.assign(pen, { down: false, shown: false });
    },
  });
}

function listenToKeys(canvas, drawing, pen, refresh) {
  const held = new Set(); // two arrows at once go across
  const move = ({ key, shiftKey }) => {
    held.add(key);
    const size = shiftKey ? SMALL_STEP : STEP;
    const along = (axis) => [...held].reduce((sum, name) => sum + ARROWS[name][axis], 0) * size;
    pen.move(along(0), along(1));
  };
  const take = (event) => {
    if (event.altKey) return false;
    const command = event.ctrlKey || event.metaKey;
    if (event.key === "Backspace" || (command && event.key === "z")) drawing.undo();
    else if (command) return false;
    else if (event.key in ARROWS) move(event);
    else if (event.key === " " || event.key === "Enter") event.repeat || pen.toggle();
    else if (event.key === "Escape") drawing.clear();
    else return false;
    return true;
  };
  canvas.addEventListener("keydown", (event) => {
    if (!take(event)) return;
    event.preventDefault();
    pen.down &&= drawing.isDrawing(); // undone or cleared under it
    refresh();
  });
  canvas.addEventListener("keyup", (event) => held.delete(event.key));
  canvas.addEventListener("blur", () => {
    held.clear();
    pen.putDown();
    refresh();
  });
}

/** The drawing on screen, in the sheet's colours and the screen's own pixels, with the pen if it is in use. */
function paintPad(canvas, { side, ink, accent }, strokes, pen, width) {
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const context = canvas.getContext("2d", { willReadFrequently: true }); // kept in memory: too small for a graphics card
  paint(context, side, strokes, ink);
  if (!pen.shown) return;
  Object.assign(context, { strokeStyle: accent, lineWidth: 2 * devicePixelRatio });
  const [x, y, radius] = [pen.x * side, pen.y * side, (width * side) / 2 + 3 * devicePixelRatio];
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  for (const [across, down] of Object.values(ARROWS)) {
    context.moveTo(x + across * radius, y + down * radius);
    context.lineTo(x + across * radius * 1.7, y + down * radius * 1.7);
  }
  context.stroke();
}

const reading = document.createElement("canvas");
reading.width = reading.height = SENT;

/** The ink as grey levels, 0 where there is none, SENT × SENT, whatever the screen. */
function inkOf(strokes) {
  const context = reading.getContext("2d", { willReadFrequently: true });
  paint(context, SENT, strokes, "white");
  const colours = context.getImageData(0, 0, SENT, SENT).data;
  const ink = new Uint8Array(SENT * SENT);
  for (let place = 0; place < ink.length; place++) ink[place] = colours[4 * place + 3]; // paper is transparent
  return ink;
}

function paint(context, side, strokes, colour) {
  context.clearRect(0, 0, side, side);
  context.strokeStyle = colour;
  context.lineCap = context.lineJoin = "round";
  for (const { points, width } of strokes) {
    context.lineWidth = width * side;
    context.beginPath();
    follow(context, points.map(([x, y]) => [x * side, y * side]));
    context.stroke();
  }
}

/** A curve near the points: through the middle between each two, bent towards the points themselves. */
function follow(context, points) {
  context.moveTo(...points[0]);
  for (let place = 1; place < points.length - 1; place++) {
    const [[x, y], [nextX, nextY]] = [points[place], points[place + 1]];
    context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  }
  const [x, y] = points.at(-1);
  context.lineTo(x + 0.01, y); // a line of no length would leave no dot
}
