// Lesson: the same network from two laws of first weights, N(0, 1) and He's.

import { el, number, percent } from "../dom.js";
import { describe, register, t } from "../i18n.js";
import { createCurve } from "./curve.js";
import { createMeasuring, figures, layerTable, measure, pointsOf } from "./measured.js";
import { paint } from "./plane.js";
import { createQuestion } from "./question.js";

register({
  en: {
    "lesson.start": "First weights",
    "start.goal": "The same network, the same images in the same order: only the law of the first weights differs. Find out why that matters so much.",
    "start.do": "784 → 128 → 10 with ReLU learns 55,000 images of MNIST for two epochs, by gradient descent with learning rate 0.01. In one run its weights and biases begin as N(0, 1), as beginners draw them; in the other they are smaller, by a factor of √(2/784) in the first layer, and the biases are 0, as He's law says.",
    "start.measure": "Train both",
    "start.normal": "N(0, 1)",
    "start.he": "He",
    "start.guide": "Dashed: ln 10 ≈ 2.30, the loss of a network that gives every digit the same probability.",
    "start.weights": "What twelve hidden units have learned: the change of their weights",
    "start.weights.said": "Change of the weights of twelve hidden units from {law}, as pictures of 28 × 28",
    "start.question": "Why does the network from N(0, 1) begin so badly?",
    "start.choice.dead": "Most of its ReLUs are dead, so hardly any gradient flows",
    "start.choice.scores": "Its scores are so large that it is sure of itself, and nearly always wrong",
    "start.choice.rate": "Its gradients are so small that nothing moves",
    "start.answer": "A hidden sum adds up 784 products. With weights of size 1 it is large, and the scores, sums of 128 such numbers, are larger still: the table has {normal} before training, against {he} from He's law. The softmax of such scores is all but 1 for one digit, mostly a wrong one, which costs {loss} instead of 2.30. Two epochs are spent on taking that back, with steps that are small beside weights of that size: the first layer has moved by {moved} of its length, against {hemoved} from He's law.",
  },
  zh: {
    "lesson.start": "初始权重",
    "start.goal": "同样的网络，同样的图，同样的顺序：只有初始权重的分布不同。找出它为什么这么重要。",
    "start.do": "784 → 128 → 10 的 ReLU 网络用梯度下降（学习率 0.01）学 55,000 张 MNIST 图，两轮。一次权重和偏置取自 N(0, 1)，初学者常这样取；一次按 He 的法则，权重更小（第一层乘以 √(2/784)），偏置为 0。",
    "start.measure": "两个都训练",
    "start.normal": "N(0, 1)",
    "start.he": "He",
    "start.guide": "虚线：ln 10 ≈ 2.30，即对每个数字给出相同概率的网络的损失。",
    "start.weights": "十二个隐藏单元学到了什么：权重的改变",
    "start.weights.said": "从 {law} 开始的十二个隐藏单元的权重改变，画成 28 × 28 的图",
    "start.question": "从 N(0, 1) 开始的网络，为什么一开始这么差？",
    "start.choice.dead": "它的 ReLU 大多已死，几乎没有梯度流过",
    "start.choice.scores": "它的得分太大，因此非常自信，而且几乎总是错的",
    "start.choice.rate": "它的梯度太小，什么都不动",
    "start.answer": "一个隐藏和要加起 784 个乘积。权重大小为 1 时它就很大，而得分是 128 个这样的数之和，更大：表中训练前是 {normal}，He 的法则下是 {he}。这样的得分经 softmax 后几乎全给了一个数字，而且多半是错的，代价是 {loss}，而不是 2.30。两轮训练都花在收回这些上，而与这样大的权重相比，每一步都很小：第一层只移动了自身长度的 {moved}，He 的法则下是 {hemoved}。",
  },
});

const LAWS = ["normal", "he"];
const NAMES = LAWS.map((law) => `start.${law}`);

/** The lesson's parts. */
export function create(page) {
  const curve = createCurve();
  const results = el("div", { class: "stack", hidden: true });
  const holder = el("div", { class: "stack later", hidden: true });

  const measuring = createMeasuring("start.measure", async () => {
    const found = [];
    for (const law of LAWS) {
      found.push(await measure("start", law));
      curve.show(found.map((network, place) => ({ name: NAMES[place], points: pointsOf(network) })), { guide: Math.log(10) });
    }
    results.replaceChildren(figures(found, NAMES), ...found.map((network, place) => detail(network, place)));
    results.hidden = false;
    ask(found);
    return found.reduce((total, { about }) => total + about.seconds, 0);
  }, page.complain);

  function detail(network, place) {
    const canvas = el("canvas", { class: "templates", role: "img" });
    describe(canvas, "start.weights.said", { law: t(NAMES[place]) });
    const colour = () => paint(canvas, tiled(network.arrays.change.data), 4 * 29 - 1);
    page.store.subscribe(colour, ["theme"]);
    colour();
    const pictures = el("div", { class: "stack" }, el("h3", { t: "start.weights" }), canvas);
    const name = el("h3", { class: `key line-${place}` }, el("span", { t: NAMES[place] }));
    return el("section", { class: "stack law" }, name, el("div", { class: "pictures" }, layerTable(network), pictures));
  }

  /** The question needs figures for its answer, so it comes once they are there. */
  function ask([normal, he]) {
    const scores = ({ about }) => number(about.layers.at(-1).before.size, 3);
    const question = createQuestion({
      question: "start.question",
      choices: ["start.choice.dead", "start.choice.scores", "start.choice.rate"],
      right: "start.choice.scores",
      answer: "start.answer",
      values: { normal: scores(normal), he: scores(he), loss: number(normal.about.first_loss, 3), moved: percent(normal.about.moved), hemoved: percent(he.about.moved) },
    });
    holder.replaceChildren(question.element);
    holder.hidden = false;
  }

  curve.show([], { steps: 1720 });
  return {
    parts: [
      el("section", { class: "card stack" }, el("p", { t: "start.do" }), measuring.element),
      el("section", { class: "card stack" }, curve.element, el("p", { class: "small faint", t: "start.guide" }), results),
      holder,
    ],
  };
}

/** Twelve pictures of 28 × 28 as one, four to a row with a gap between them; each to its own largest number. */
function tiled(change) {
  const [side, across, gap] = [28, 4, 1];
  const width = across * (side + gap) - gap;
  const numbers = new Array(width * (3 * (side + gap) - gap)).fill(0);
  for (let unit = 0; unit < 12; unit++) {
    const own = change.slice(unit * side * side, (unit + 1) * side * side);
    const most = own.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-9);
    own.forEach((value, place) => {
      const column = (unit % across) * (side + gap) + (place % side);
      const row = Math.floor(unit / across) * (side + gap) + Math.floor(place / side);
      numbers[row * width + column] = value / most;
    });
  }
  return numbers;
}
