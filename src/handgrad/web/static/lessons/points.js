// Lesson: one linear layer tells two groups of points apart, one update at a time.

import { getJSON, modelPath } from "../api.js";
import { el, number } from "../dom.js";
import { describe, register } from "../i18n.js";
import { createCurve } from "./curve.js";
import { createPlane } from "./plane.js";
import { createQuestion } from "./question.js";
import { createWatched } from "./watched.js";

register({
  en: {
    "lesson.points": "Ten points",
    "points.goal": "The smallest network there is: one linear layer, and a softmax in its loss. Watch how each update turns and shifts the line at which it changes its mind.",
    "points.do": "Start, then take one update at a time, or let it run, several updates to a picture. Each is made from all ten points; there are 500 in all.",
    "points.plane": "The ten points after {step} updates. {right} of them are on their side of the line.",
    "points.plane.off": "The ten points of two classes.",
    "points.legend": "Ring: class 0. Disc: class 1. Square: a point whose class it was never told; the number is the probability of class 1.",
    "points.weights": "The six parameters, and how they changed since the last picture",
    "points.parameter": "parameter",
    "points.value": "value",
    "points.change": "change",
    "points.question": "After all 500 updates every point is on its side. If you went on, what would happen to the weights?",
    "points.choice.stop": "They stay where they are, for nothing is wrong any more",
    "points.choice.grow": "They keep growing, ever more slowly",
    "points.choice.swing": "They swing to and fro round the best values",
    "points.answer": "The loss is never 0: a point on the right side still costs −log of its probability, and larger weights make that probability larger. Where classes can be told apart there is no best value to arrive at. In the curve you see it: the loss keeps falling, and in the table the last changes are small but not 0.",
  },
  zh: {
    "lesson.points": "十个点",
    "points.goal": "最小的网络：一个线性层，softmax 在损失里。看每次更新怎样转动和移动它改变主意的那条线。",
    "points.do": "先开始，再一次一次地更新，或让它继续，每幅图之间更新几次。每次更新都用全部十个点，共 500 次。",
    "points.plane": "{step} 次更新之后的十个点，其中 {right} 个在线的正确一侧。",
    "points.plane.off": "分属两类的十个点。",
    "points.legend": "圆环：第 0 类。实心圆：第 1 类。方块：从未给过它答案的问题；数字是第 1 类的概率。",
    "points.weights": "六个参数，以及它们自上一幅图以来的改变",
    "points.parameter": "参数",
    "points.value": "值",
    "points.change": "改变",
    "points.question": "500 次更新之后，每个点都在正确的一侧。如果继续下去，权重会怎样？",
    "points.choice.stop": "停在原处，因为已经没有错了",
    "points.choice.grow": "继续变大，但越来越慢",
    "points.choice.swing": "在最佳值附近来回摆动",
    "points.answer": "损失永远不是 0：在正确一侧的点仍要付出 −log(概率)，而权重越大，这个概率越大。能分开的两类没有可以到达的最佳值。曲线上可以看到：损失一直在下降；表里最后的改变很小，但不是 0。",
  },
});

const EPOCHS = 500;
const PARAMETERS = ["0.weight", "0.bias"];

/** The lesson's parts. */
export function create(page) {
  const plane = createPlane(page.store, { low: -1, high: 11, count: 32 });
  const curve = createCurve();
  const table = el("tbody");
  let [data, questions, before] = [[], [], null];
  const inputs = [...plane.grid];
  const watched = createWatched(page, {
    order: (seed) => {
      before = null;
      return { recipe: "points", changes: { "train.seed": seed } };
    },
    inputs,
    draw,
    pace: { stretch: 80, updates: () => 6 },
    seed: 0,
    starts: false,
  });

  async function load() {
    try {
      const [{ examples }, { recipe }] = await Promise.all([getJSON(modelPath("recipes/points", "examples")), getJSON("/api/recipes/points")]);
      data = examples.map(({ inputs: at, label }) => ({ at, label }));
      questions = recipe.queries.map((at) => ({ at, label: null }));
      inputs.push(...data.map(({ at }) => at), ...questions.map(({ at }) => at));
      plane.show({ examples: [...data, ...questions] });
      describe(plane.picture, "points.plane.off");
    } catch (error) {
      page.complain(error);
    }
  }

  function draw({ training, weights, answers }) {
    const share = (row) => answers.data[2 * row + 1]; // (N, 2): the probability of class 1
    const grid = plane.grid.map((_, row) => share(row));
    const [w, b] = PARAMETERS.map((name) => weights[name].data);
    const line = { weights: [w[2] - w[0], w[3] - w[1]], bias: b[1] - b[0] };
    const asked = questions.map((question, row) => ({ ...question, text: share(grid.length + data.length + row).toFixed(2) }));
    plane.show({ answers: grid, lines: [line], examples: [...data, ...asked] });
    const right = data.filter(({ label }, row) => share(grid.length + row) > 0.5 === (label === 1)).length;
    describe(plane.picture, "points.plane", { step: training.step, right });
    curve.show([{ name: "curve.loss", points: training.losses }], { steps: EPOCHS });
    const now = [...w, ...b];
    table.replaceChildren(...now.map((value, place) => row(place, value, before ? value - before[place] : null)));
    before = now;
  }

  load();
  describe(plane.picture, "points.plane.off");
  curve.show([], { steps: EPOCHS });
  const question = createQuestion({
    question: "points.question",
    choices: ["points.choice.stop", "points.choice.grow", "points.choice.swing"],
    right: "points.choice.grow",
    answer: "points.answer",
  });
  const head = ["points.parameter", "points.value", "points.change"].map((key) => el("th", { scope: "col", t: key }));
  const caption = el("caption", { class: "small faint", t: "points.weights" });
  const parameters = el("table", { class: "parameters numbers small" }, caption, el("thead", {}, el("tr", {}, ...head)), table);
  const legend = el("p", { class: "small faint", t: "points.legend" });
  const [left, right] = [[plane.element, legend], [curve.element, parameters]].map((parts) => el("div", { class: "stack" }, ...parts));
  return {
    parts: [
      el("section", { class: "card stack" }, el("p", { t: "points.do" }), watched.element),
      el("section", { class: "card pictures" }, left, right),
      question.element,
    ],
    leave: watched.leave,
  };
}

const NAMES = ["W₀₀", "W₀₁", "W₁₀", "W₁₁", "b₀", "b₁"];

const row = (place, value, change) =>
  el("tr", {}, el("th", { scope: "row" }, NAMES[place]), el("td", {}, number(value, 4)), el("td", {}, change === null ? "" : number(change, 2)));
