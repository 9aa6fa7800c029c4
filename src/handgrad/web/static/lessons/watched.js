// What the lessons on toy data share: a training that is watched update by update, and the buttons for it.

import { getArrays, modelPath, postArrays } from "../api.js";
import { el } from "../dom.js";
import { register, say } from "../i18n.js";
import { createPlayer } from "./player.js";

register({
  en: {
    "watched.start": "Start",
    "watched.again": "Start again",
    "watched.play": "Go on",
    "watched.pause": "Pause",
    "watched.step": "One update",
    "watched.seed": "Seed",
    "watched.state.off": "Not started.",
    "watched.state.starting": "Starting …",
    "watched.state.paused": "Waiting after {step} updates.",
    "watched.state.playing": "Learning …",
    "watched.state.ended": "Finished after {step} updates.",
    "watched.state.failed": "It did not work; start again.",
  },
  zh: {
    "watched.start": "开始",
    "watched.again": "重新开始",
    "watched.play": "继续",
    "watched.pause": "暂停",
    "watched.step": "一次更新",
    "watched.seed": "种子",
    "watched.state.off": "尚未开始。",
    "watched.state.starting": "正在启动……",
    "watched.state.paused": "{step} 次更新之后，等待中。",
    "watched.state.playing": "正在学习……",
    "watched.state.ended": "{step} 次更新之后结束。",
    "watched.state.failed": "没有成功，请重新开始。",
  },
});

/** Those who want little motion get a tenth of the pictures, at the same speed of learning. */
const calmly = ({ stretch, updates }) =>
  matchMedia("(prefers-reduced-motion: reduce)").matches ? { stretch: 10 * stretch, updates: (step) => 10 * updates(step) } : { stretch, updates };

/**
 * Buttons and the training behind them. `order(seed)` says what to train, `seed` is the first one offered, `pace` how
 * it is played; `draw({training, weights, answers})` shows a picture, `answers` being those for the rows of `inputs`.
 */
export function createWatched(page, { order, inputs, draw, pace, seed: firstSeed, starts = true }) {
  let step = 0;
  const seed = el("input", { type: "number", min: "0", max: "9999", value: String(firstSeed), inputmode: "numeric" });
  const start = el("button", { class: "primary", t: "watched.start", on: { click: begin } });
  const play = el("button", { t: "watched.play", disabled: true, on: { click: toggle } });
  const one = el("button", { t: "watched.step", disabled: true, on: { click: () => player.step() } });
  const status = el("p", { class: "small faint", role: "status", t: "watched.state.off" });
  const player = createPlayer({ look, changed, complain: page.complain });

  async function begin() {
    await player.start(order(Math.min(9999, Math.max(0, Math.trunc(Number(seed.value)) || 0))));
    if (starts) player.play(calmly(pace)); // which does nothing unless it waits now
  }

  function toggle() {
    if (player.state() === "paused") player.play(calmly(pace));
    else player.pause();
  }

  async function look(training) {
    const [weights, predicted] = await Promise.all([
      getArrays(modelPath(training.model, "weights")),
      postArrays(modelPath(training.model, "predict"), { inputs }),
    ]);
    step = training.step;
    draw({ training, weights: weights.arrays, answers: predicted.arrays.outputs });
  }

  function changed(state) {
    const [waits, plays] = [state === "paused", state === "playing"];
    start.disabled = state === "starting";
    say(start, state === "off" || state === "failed" ? "watched.start" : "watched.again");
    play.disabled = !(waits || plays);
    say(play, plays ? "watched.pause" : "watched.play");
    one.disabled = !waits;
    status.setAttribute("aria-live", plays ? "off" : "polite");
    say(status, `watched.state.${state}`, waits || state === "ended" ? { step } : {});
  }

  const labelled = el("label", { class: "row small" }, el("span", { t: "watched.seed" }), seed);
  return {
    element: el("div", { class: "stack" }, el("div", { class: "row watched" }, start, play, one, labelled), status),
    seed,
    leave: () => player.stop(),
  };
}
