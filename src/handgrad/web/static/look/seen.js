// What the network sees: a drawing on its way to MNIST's form, or a picture that has it already.

import { el } from "../dom.js";
import { fromBase64 } from "../example.js";
import { register, say } from "../i18n.js";

register({
  en: {
    "seen.title": "What the network sees",
    "seen.empty": "Draw a digit above, or choose a picture below. Here you will see how it is made to look like those the network learned from.",
    "seen.light_on_dark": "drawn",
    "seen.cropped": "cropped to the ink",
    "seen.scaled": "fitted into {box}×{box}",
    "seen.centred": "{size}×{size}, centre of mass in the middle",
    "seen.test": "Test image {index}, as the data has it: nothing was done to it.",
    "seen.drawn": "A drawing that came with the address, as the network gets it.",
    "seen.picture": "The {height}×{width} pixels that go into the network",
  },
  zh: {
    "seen.title": "网络看到的",
    "seen.empty": "在上面画一个数字，或在下面选一张图。这里会显示它怎样一步步变成网络学过的样子。",
    "seen.light_on_dark": "所画",
    "seen.cropped": "裁到笔迹",
    "seen.scaled": "缩到 {box}×{box}",
    "seen.centred": "{size}×{size}，重心居中",
    "seen.test": "第 {index} 张测试图，与数据中的一样，未经处理。",
    "seen.drawn": "随网址而来的一幅画，即网络得到的样子。",
    "seen.picture": "进入网络的 {height}×{width} 个像素",
  },
});

/** The steps that are shown, as the server sends them. */
const STEPS = ["light_on_dark", "cropped", "scaled", "centred"];

const [OPAQUE, GREY] = [0xff000000, 0x010101]; // of a colour in one number; red, green and blue are alike
const [GREEN, BLUE] = [0x100, 0x10000];

/** Put a picture into a canvas: a pixel for each grey level, 255 white, or for each three of red, green and blue. */
export function paint(canvas, pixels, [height, width, channels]) {
  if (canvas.height !== height || canvas.width !== width) Object.assign(canvas, { height, width });
  const picture = new ImageData(width, height);
  const colours = new Uint32Array(picture.data.buffer);
  for (let place = 0; place < colours.length; place++) {
    const first = 3 * place;
    colours[place] = OPAQUE + (channels ? pixels[first] + GREEN * pixels[first + 1] + BLUE * pixels[first + 2] : GREY * pixels[place]);
  }
  canvas.getContext("2d", { willReadFrequently: true }).putImageData(picture, 0, 0);
  return canvas;
}

/** The panel; one of its `show…` says what is in it. */
export function createSeen() {
  const content = el("div", { class: "seen" });
  const figures = Object.fromEntries(STEPS.map((name) => [name, createFigure(name)]));
  const steps = el("div", { class: "steps" }, Object.values(figures).map((figure) => figure.element));
  const empty = () => el("p", { class: "faint small seen-empty", t: "seen.empty" });
  content.append(empty());
  return {
    element: el("div", { class: "stack" }, el("h3", { t: "seen.title" }), content),
    showNothing: () => content.replaceChildren(empty()),
    showSteps(found) {
      const size = found.at(-1).shape[0];
      for (const { name, shape, pixels } of found) figures[name].show(fromBase64(pixels), shape, size);
      if (content.firstChild !== steps) content.replaceChildren(steps);
    },
    /** One picture, and in words where it is from: `key` with `values`. */
    showPicture(pixels, shape, key, values) {
      const canvas = el("canvas", { label: "seen.picture", values: sizes(shape), role: "img", class: "grey" });
      content.replaceChildren(
        el("div", { class: "single" }, paint(canvas, pixels, shape), el("p", { class: "faint small", t: key, values })),
      );
    },
  };
}

const sizes = ([height, width]) => ({ height, width });

function createFigure(name) {
  const canvas = el("canvas", { class: "grey", "aria-hidden": "true" }); // its caption says it all
  const caption = el("figcaption");
  return {
    element: el("figure", { class: `step ${name}` }, canvas, caption),
    show(pixels, shape, size) {
      paint(canvas, pixels, shape);
      say(caption, `seen.${name}`, { size, box: Math.round((size * 20) / 28) }); // as mnist_steps has it
    },
  };
}
