// What the doctor says, in the chosen language. The server has it in English, with figures inside; here it stands in Chinese.

import { el } from "../dom.js";
import { currentLanguage } from "../i18n.js";

/** English sentences and their Chinese; `()` in a pattern holds what $1, $2 … take over. */
const CHINESE = [
  [/^Inputs not scaled$/, "输入没有缩放"],
  [/^Their root mean square is (\S+), they run from (\S+) to (\S+)\.$/, "它们的均方根是 $1，从 $2 到 $3。"],
  [/^First weights and learning rates are made for inputs near 1;/, "初始权重和学习率是为接近 1 的输入准备的；更大的输入使最初几步爆炸，更小的则没有东西可学。"],
  [/^Scale them: /, "缩放它们：data.normalize = \"standard\"（均值 0，标准差 1）或 \"unit\"（0 到 1）。"],
  [/^First loss too high$/, "最初的损失太高"],
  [/^Before training it is (\S+); a network that knows nothing should have ln (\d+) = (\S+)\.$/, "训练前它是 $1；一无所知的网络应为 ln $2 = $3。"],
  [/^Its scores are far apart for no reason/, "它的得分毫无理由地相差很远，最初几步都花在收回它们上。"],
  [/^Use smaller first weights \(model\.init/, "用更小的初始权重（model.init = \"he\"），缩放输入，或在层间归一化。"],
  [/^Learning rate too high$/, "学习率太高"],
  [/^A short training ends with a loss of (.+) with (\S+), and of (\S+) with (\S+)\.$/, "一次短训练，学习率 $2 时最后的损失是 $1，$4 时是 $3。"],
  [/^Each step overshoots/, "每一步都越过了梯度所指的谷底。"],
  [/^Try (\S+); handgrad doctor/, "试试 $1；handgrad doctor --plot FILE 画出损失随学习率的变化。"],
  [/^Dead units$/, "死单元"],
  [/^(\S+) of (\S+) units of (layer \d+ \(\w+\)) are 0 for all of (\S+) examples, before training\.$/, "训练前，$3 的 $2 个单元中有 $1 个对全部 $4 个例子都是 0。"],
  [/^(\S+) of (\S+) units of (layer \d+ \(\w+\)) are 0 for all of (\S+) examples, after a few steps\.$/, "几步之后，$3 的 $2 个单元中有 $1 个对全部 $4 个例子都是 0。"],
  [/^Where a ReLU is 0 its gradient is 0 too/, "ReLU 为 0 的地方梯度也是 0，所以这些单元不再学习，也不会恢复。"],
  [/^Lower the learning rate, or normalise before the ReLU\./, "降低学习率，或在 ReLU 之前归一化。LeakyReLU 不会死。"],
  [/^Begin with biases of 0, or normalise before the ReLU\./, "偏置从 0 开始，或在 ReLU 之前归一化。LeakyReLU 不会死。"],
  [/^Weights all 0$/, "权重全为 0"],
  [/^Every weight and bias of (\d+) layers is 0\.$/, "$1 层的每个权重和偏置都是 0。"],
  [/^Nothing gets through, so no gradient does either/, "什么都通不过，梯度也通不过；而且开始时相同的单元会一直相同。"],
  [/^Draw first weights at random/, "随机抽取初始权重：model.init = \"he\"。"],
  [/^Gradients vanish$/, "梯度消失"],
  [/^From (layer \d+ \(\w+\)) to (layer \d+ \(\w+\)) their length changes by a factor of (\S+)\.$/, "从 $1 到 $2，它们的长度变为 $3 倍。"],
  [/^What is lost on the way/, "路上丢失的东西学不到；而爆炸的东西使每一步都成了跳跃。"],
  [/^Choose first weights by the width/, "按层的宽度选择初始权重（model.init = \"he\"），用 ReLU 代替 sigmoid，在层间加批归一化，或加一条捷径（Residual）。"],
  [/^Test data in the training data$/, "测试数据在训练数据中"],
  [/^(\S+) of (\S+) test examples are also training examples/, "$2 个测试例子中有 $1 个也是训练例子，一个数都不差。"],
  [/^The test score then says/, "这时测试得分说的是网络记得多牢，而不是它对没见过的东西做得多好。"],
  [/^Remove them from the training data/, "把它们从训练数据中去掉，或重新划分数据。"],
];

/** A sentence of the doctor in Chinese; as it is where there is none. */
function inChinese(sentence) {
  const [pattern, text] = CHINESE.find(([pattern]) => pattern.test(sentence)) ?? [];
  if (!pattern) return sentence;
  const found = pattern.exec(sentence);
  return text.replace(/\$(\d)/g, (_, place) => found[place]);
}

/** The findings, each with the figure that shows it, the reason and the change to make; said anew by `say`. */
export function findingsList(findings) {
  const list = el("ol", { class: "findings stack" });
  const empty = findings.length === 0 ? el("p", { t: "clinic.nothing" }) : null;
  function say() {
    const said = (sentence) => (currentLanguage() === "zh" ? inChinese(sentence) : sentence);
    list.replaceChildren(...findings.map(({ name, measured, why, change }) =>
      el("li", {}, el("strong", {}, said(name)), ...[measured, why, change].map((sentence) => el("p", { class: "small" }, said(sentence))))));
  }
  say();
  const element = el("section", { class: "stack doctor" }, el("h3", { t: "clinic.findings" }), empty ?? list);
  return { element, say };
}
