// What formulas do not say, and what recipes are. The server has both in English; here they stand in Chinese.

import { currentLanguage } from "./i18n.js";

const CHINESE = {
  ReLU: "缓存的是 x。若某单元对所有样本 x 都为负，它就得不到梯度：它“死”了。",
  LeakyReLU: "a 是 negative_slope。缓存的是 x。",
  Sigmoid: "缓存的是输出 y：导数是 y(1 − y)，而不是 σ'(y)。它至多为 1/4，所以梯度会缩小。",
  Tanh: "缓存的是输出 y。",
  GELU: "缓存的是 x。",
  Softmax: "每个输出依赖于本行的所有输入，所以导数是一个满矩阵，使用时不必把它建出来。缓存的是 y。",
  LogSoftmax: "缓存的是 y。",
  Conv2d: "s 是步幅；x^pad 是加了零边框的 x，输入的梯度会再把边框去掉。",
  MaxPool2d: "缓存里是每个窗口第一个最大值的位置。",
  AvgPool2d: "缓存里只有输入的形状。",
  BatchNorm1d: "m 取遍一个特征在这批数据中的 M 个值。预测时 μ 和 σ² 是常数，即滑动平均，于是 x̄ = γ ȳ / √(σ² + ε)。",
  BatchNorm2d: "m 取遍一个通道在这批数据中的 M = N·H·W 个值。",
  Sequential: "这就是链式法则：每层用上自己的转置雅可比矩阵，而从不把它建出来。",
  Flatten: "什么也没有计算，梯度只是恢复原来的形状。缓存的是那个形状。",
  Dropout: "缓存的是掩码 k，反向时丢弃前向丢弃的单元。预测时 y = x。",
  Residual: "不论网络多深，梯度沿第一项毫不减弱地到达 x。",
  LayerNorm: "均值和方差沿一行计算，参数的梯度沿各行求和。",
  softmax_cross_entropy: "求平均时 w 为 1/N，t 的每行之和为 1。softmax 的雅可比矩阵与对数的导数相消，只剩这个差；对数取的是和，而不是概率，所以不会出现 log(0)。",
  cross_entropy: "求平均时 w 为 1/N；ε 是防止 log(0) 的下限。低于它时真正的导数是 0；这里改用下限处的斜率，使自信却错误的网络仍能学习。",
  mean_squared_error: "求平均时 w 为 1/(N·C)，求和时为 1，half_sum 时为 1/2。",
  binary_cross_entropy: "求平均时 w 为 1/(N·C)。它就是 −t log σ(x) − (1 − t) log(1 − σ(x))，写成不会溢出的形式。",
};

const RECIPES = {
  "cnn-best": "八个带批归一化的卷积，训练图像经过扭曲，追求准确率",
  cnn: "MNIST 上的两个卷积层和两个线性层，用 Adam（W6）",
  table: "表格的各列分别标准化后，经过两个隐藏层",
  fast: "MNIST 上两个带步幅和批归一化的卷积：几秒钟达到 99 %",
  "mlp-adam": "MNIST 上的两个小隐藏层，用 Adam（W3）",
  "mlp-best": "一个 800 单元的隐藏层，训练图像经过扭曲，追求准确率",
  "mlp-select": "用验证数据选择隐藏层宽度，全批量下降（W4）",
  mlp: "MNIST 上的一个隐藏层，用普通的随机梯度下降（W1）",
  points: "一个线性层把两组点分开（W2）",
  "xor-bias": "带偏置的 XOR，均方误差，PyTorch 默认的初始化（W5 的孪生）",
  xor: "两个不带偏置的 sigmoid 层学习 XOR（W5）",
};

/** What a recipe is, in the language chosen. */
export const summaryOf = (recipe, english) => (currentLanguage() === "zh" ? RECIPES[recipe] ?? english : english);

export const chineseRecipes = RECIPES;

/** The note of a layer or loss in the language chosen. */
export function noteOf(kind, english) {
  return currentLanguage() === "zh" && english ? CHINESE[kind] ?? english : english;
}

export const chineseNotes = CHINESE;
