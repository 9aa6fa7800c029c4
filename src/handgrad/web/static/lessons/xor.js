// Lesson: a network learns XOR, and the plane that it divides is redrawn while it does.

import { el, number } from "../dom.js";
import { describe, register, say } from "../i18n.js";
import { createCurve } from "./curve.js";
import { createPlane } from "./plane.js";
import { createQuestion } from "./question.js";
import { createWatched } from "./watched.js";

register({
  en: {
    "lesson.xor": "XOR",
    "xor.goal": "No straight line has the two ones of XOR on one side and the two zeros on the other. See how hidden units, each with a line of its own, put the answer together.",
    "xor.do": "Start, and watch the plane. Each hidden unit draws the line on which it is undecided. Then try other seeds and other networks.",
    "xor.network": "Network",
    "xor.three": "2 → 3 → 1, no biases",
    "xor.two": "2 → 2 → 1, with biases",
    "xor.zeros": "2 → 3 → 1, all weights 0",
    "xor.three.note": "We tried the seeds 0 to 99: all of them learn it, and the largest error left is 0.06.",
    "xor.two.note": "We tried the seeds 0 to 39: six get stuck (0, 1, 7, 11, 20 and 25), with two of the four answers near ½. Two lines can do it, but from some beginnings no small step leads there.",
    "xor.zeros.note": "Stuck for ever, with any seed: all hidden units are alike, all answers are ½, and the errors of the four examples cancel out in every gradient.",
    "xor.plane": "The plane of the two inputs. Answers so far: {answers}. Warm colours mean 1, cool ones 0.",
    "xor.plane.off": "The plane of the two inputs, with the four examples of XOR.",
    "xor.legend": "Disc: should be 1. Ring: should be 0. The number is what the network says.",
    "xor.output": "Sum of the weights from the hidden units to the output: {sum}. Output at (0, 0): {output}.",
    "xor.question": "The first network has no biases, so the line of every hidden unit goes through (0, 0). What do its hidden units say there?",
    "xor.choice.zero": "0, whatever their weights are",
    "xor.choice.half": "½, whatever their weights are",
    "xor.choice.depends": "It depends on their weights",
    "xor.answer": "There every hidden sum is 0, and σ(0) = ½. So the output there is σ(½ · the sum of the three output weights). To say 0 at (0, 0) the network must make that sum negative: look at the figure below the plane while it learns.",
  },
  zh: {
    "lesson.xor": "异或（XOR）",
    "xor.goal": "没有一条直线能把 XOR 的两个 1 放在一边、两个 0 放在另一边。看看各有一条线的隐藏单元怎样合成答案。",
    "xor.do": "点“开始”，观察平面。每个隐藏单元画出它拿不定主意的那条线。然后试试别的种子和别的网络。",
    "xor.network": "网络",
    "xor.three": "2 → 3 → 1，无偏置",
    "xor.two": "2 → 2 → 1，有偏置",
    "xor.zeros": "2 → 3 → 1，权重全为 0",
    "xor.three.note": "我们试过种子 0 到 99：全都学会了，剩下的最大误差是 0.06。",
    "xor.two.note": "我们试过种子 0 到 39：有六个卡住（0、1、7、11、20 和 25），四个答案中有两个停在 ½ 附近。两条线是够用的，但从某些起点出发，没有小步能走到那里。",
    "xor.zeros.note": "无论什么种子都永远卡住：所有隐藏单元都一样，所有答案都是 ½，四个例子的误差在每个梯度里互相抵消。",
    "xor.plane": "两个输入的平面。目前的答案：{answers}。暖色表示 1，冷色表示 0。",
    "xor.plane.off": "两个输入的平面，以及 XOR 的四个例子。",
    "xor.legend": "实心圆：应为 1。圆环：应为 0。数字是网络的回答。",
    "xor.output": "隐藏单元到输出的权重之和：{sum}。在 (0, 0) 处的输出：{output}。",
    "xor.question": "第一个网络没有偏置，所以每个隐藏单元的线都经过 (0, 0)。隐藏单元在那里的值是多少？",
    "xor.choice.zero": "0，与权重无关",
    "xor.choice.half": "½，与权重无关",
    "xor.choice.depends": "取决于权重",
    "xor.answer": "在那里每个隐藏和都是 0，而 σ(0) = ½。所以那里的输出是 σ(½ · 三个输出权重之和)。要在 (0, 0) 处回答 0，网络必须让这个和为负：学习时请看平面下方的数字。",
  },
});

const CORNERS = [[0, 0], [0, 1], [1, 0], [1, 1]];
const EPOCHS = 10000;
/** What may be trained, the first as the workload has it; and a seed at which it is worth looking. */
const NETWORKS = {
  three: { recipe: "xor", changes: {}, seed: 0 },
  two: { recipe: "xor-bias", changes: { "model.hidden": [2] }, seed: 1 },
  zeros: { recipe: "xor", changes: { "model.init": "zeros" }, seed: 0 },
};

/** The lesson's parts. */
export function create(page) {
  const plane = createPlane(page.store, { low: -0.5, high: 1.5, count: 32 });
  const curve = createCurve();
  const note = el("p", { class: "small faint", t: "xor.three.note" });
  const network = el("select", { on: { change: choose } });
  for (const name of Object.keys(NETWORKS)) network.append(el("option", { value: name, t: `xor.${name}` }));
  const sum = el("p", { class: "numbers small", hidden: true });
  const watched = createWatched(page, {
    order: (seed) => ({ recipe: NETWORKS[network.value].recipe, changes: { ...NETWORKS[network.value].changes, "train.seed": seed } }),
    inputs: [...plane.grid, ...CORNERS],
    draw,
    pace: { stretch: 80, updates: (step) => Math.max(40, 0.12 * step) }, // it learns most in the beginning
    seed: 0,
  });

  function choose() {
    say(note, `xor.${network.value}.note`);
    watched.seed.value = NETWORKS[network.value].seed;
  }

  function draw({ training, weights, answers }) {
    const [first, bias, last] = [weights["0.weight"], weights["0.bias"], weights["2.weight"]];
    const lines = Array.from({ length: first.shape[0] }, (_, unit) => ({
      weights: [first.data[2 * unit], first.data[2 * unit + 1]],
      bias: bias ? bias.data[unit] : 0,
      name: String(unit + 1),
    }));
    const corners = Array.from(answers.data.slice(plane.grid.length));
    plane.show({ answers: answers.data.slice(0, plane.grid.length), lines, examples: examples(corners) });
    describe(plane.picture, "xor.plane", { answers: corners.map((answer) => answer.toFixed(2)).join(" · ") });
    curve.show([{ name: "curve.loss", points: training.losses }], { steps: EPOCHS });
    sum.hidden = Boolean(bias);
    say(sum, "xor.output", { sum: number(last.data.reduce((total, value) => total + value, 0), 3), output: number(corners[0], 3) });
  }

  plane.show({ examples: examples([]) });
  describe(plane.picture, "xor.plane.off");
  curve.show([], { steps: EPOCHS });
  const question = createQuestion({
    question: "xor.question",
    choices: ["xor.choice.zero", "xor.choice.half", "xor.choice.depends"],
    right: "xor.choice.half",
    answer: "xor.answer",
  });
  const left = el("div", { class: "stack" }, plane.element, el("p", { class: "small faint", t: "xor.legend" }), sum);
  const chosen = el("label", { class: "row small" }, el("span", { t: "xor.network" }), network);
  return {
    parts: [
      el("section", { class: "card stack" }, el("p", { t: "xor.do" }), chosen, note, watched.element),
      el("section", { class: "card pictures" }, left, curve.element),
      question.element,
    ],
    leave: watched.leave,
  };
}

const examples = (answers) => CORNERS.map(([a, b], place) => ({ at: [a, b], label: a ^ b, text: answers.length ? answers[place].toFixed(2) : "" }));
