"""Sixty ways of getting a derivation wrong, each a line of handgrad's own code with one mistake in it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    """A mistake.

    Args:
        what: in the words of somebody who has made it.
        file: below src/handgrad.
        right: text that occurs once in the file.
        wrong: what stands there instead.
    """

    what: str
    file: str
    right: str
    wrong: str

    def __str__(self) -> str:
        return self.what


LINEAR = "ops/reference/linear.py"
CONVOLUTION = "ops/reference/convolution.py"
WINDOWS = "ops/reference/windows.py"
POOLING = "ops/reference/pooling.py"
ACTIVATIONS = "ops/reference/activations.py"
LOSSES = "ops/reference/losses.py"
NORMALIZATION = "ops/reference/normalization.py"
OPTIMIZERS = "ops/reference/optimizers.py"
NORM = "layers/norm.py"

BUGS = [
    # -- linear
    Bug("linear: weight not transposed forward", LINEAR, "y = x @ weight.T  #", "y = x @ weight  #"),
    Bug("linear: weight transposed backward", LINEAR, "return dy @ weight  #", "return dy @ weight.T  #"),
    Bug(
        "linear: weight gradient transposed",
        LINEAR,
        "weight[...] = rows.T @ self.xp.reshape(x, (-1, x.shape[-1]))  #",
        "weight[...] = (rows.T @ self.xp.reshape(x, (-1, x.shape[-1]))).T  #",
    ),
    Bug("linear: bias forgotten forward", LINEAR, "            y += bias\n", "            y += 0 * bias\n"),
    Bug(
        "linear: bias gradient a mean",
        LINEAR,
        "bias[...] = self.xp.sum(rows, axis=0)  #",
        "bias[...] = self.xp.mean(rows, axis=0)  #",
    ),
    Bug("linear: bias gradient forgotten", LINEAR, "bias[...] = self.xp.sum(rows, axis=0)  #", "pass  #"),
    Bug(
        "linear: weight gradient divided by the rows",
        LINEAR,
        "weight[...] = rows.T @ self.xp.reshape(x, (-1, x.shape[-1]))  #",
        "weight[...] = rows.T @ self.xp.reshape(x, (-1, x.shape[-1])) / len(rows)  #",
    ),
    Bug(
        "linear: gradient added, not written",
        LINEAR,
        "weight[...] = rows.T @ self.xp.reshape(x, (-1, x.shape[-1]))  #",
        "weight[...] += rows.T @ self.xp.reshape(x, (-1, x.shape[-1]))  #",
    ),
    Bug(
        "linear: the layer passes on the wrong factor",
        "layers/linear.py",
        "return ops.linear_dx(dy, self.weight)",
        "return 2 * ops.linear_dx(dy, self.weight)",
    ),
    # -- convolution
    Bug(
        "convolution: kernel turned",
        CONVOLUTION,
        "self.xp.reshape(self.xp.permute_dims(weight, (0, 2, 3, 1)), (weight.shape[0], -1))",
        "self.xp.reshape(self.xp.permute_dims(weight[:, :, ::-1, ::-1], (0, 2, 3, 1)), (weight.shape[0], -1))",
    ),
    Bug(
        "convolution: rows and columns of the gradient exchanged",
        CONVOLUTION,
        "weight[...] = xp.permute_dims(xp.reshape(matrix, (o, kh, kw, c)), (0, 3, 1, 2))",
        "weight[...] = xp.permute_dims(xp.reshape(matrix, (o, kw, kh, c)), (0, 3, 2, 1))",
    ),
    Bug(
        "convolution: overlapping windows overwrite",
        CONVOLUTION,
        "window += xp.permute_dims(block, (0, 3, 1, 2))",
        "window[...] = xp.permute_dims(block, (0, 3, 1, 2))",
    ),
    Bug(
        "convolution: channels of a tap off by one",
        CONVOLUTION,
        "block = columns[..., t * channels : (t + 1) * channels]",
        "block = columns[..., -(t + 1) * channels :][..., :channels]",
    ),
    Bug(
        "convolution: padding ignored in the weight's gradient",
        "layers/conv.py",
        "ops.conv2d_grads(dy, x, out, self.stride, self.padding)",
        "ops.conv2d_grads(dy, x, out, self.stride, (0, 0))",
    ),
    Bug(
        "convolution: stride of the other axis",
        "layers/conv.py",
        "return ops.conv2d_dx(dy, self.weight, tuple(x.shape), self.stride, self.padding)",
        "return ops.conv2d_dx(dy, self.weight, tuple(x.shape), self.stride[::-1], self.padding)",
    ),
    Bug(
        "convolution: border not of zeros",
        WINDOWS,
        "        padded += value\n        without_padding(padded, padding)[...] = x\n",
        "        padded += value + 1e-3\n        without_padding(padded, padding)[...] = x\n",
    ),
    Bug(
        "windows: start off by one",
        WINDOWS,
        "row = slice(i, i + stride[0] * (rows - 1) + 1, stride[0])",
        "row = slice(0, stride[0] * (rows - 1) + 1, stride[0])",
    ),
    Bug(
        "windows: stride of rows for columns",
        WINDOWS,
        "column = slice(j, j + stride[1] * (columns - 1) + 1, stride[1])",
        "column = slice(j, j + columns, 1)",
    ),
    # -- pooling
    Bug(
        "max pool: last maximum, not first",
        POOLING,
        "index = xp.where(window > best,",
        "index = xp.where(window >= best,",
    ),
    Bug(
        "max pool: index never moves",
        POOLING,
        "index = xp.where(window > best, xp.asarray(t,",
        "index = xp.where(window > best, xp.asarray(0,",
    ),
    Bug("max pool: gradient to every element", POOLING, "window += self._where(index == t, dy, 0.0)", "window += dy"),
    Bug(
        "max pool: wrong tap",
        POOLING,
        "window += self._where(index == t, dy, 0.0)",
        "window += self._where(index == t + 1, dy, 0.0)",
    ),
    Bug(
        "max pool: border of zeros",
        POOLING,
        "windows_of(self._pad(x, padding, -math.inf), kernel, stride)",
        "windows_of(self._pad(x, padding, 0.0), kernel, stride)",
    ),
    Bug("average pool: not divided forward", POOLING, "return total / (kernel[0] * kernel[1])", "return total"),
    Bug("average pool: not divided backward", POOLING, "share = dy / (kernel[0] * kernel[1])", "share = dy"),
    Bug(
        "average pool: height twice",
        POOLING,
        "share = dy / (kernel[0] * kernel[1])",
        "share = dy / (kernel[0] * kernel[0])",
    ),
    # -- activations
    Bug(
        "relu: mask forgotten",
        ACTIVATIONS,
        "return self._where(x > 0, dy, 0.0) if slope == 0.0",
        "return dy if slope == 0.0",
    ),
    Bug(
        "relu: mask of the gradient's sign",
        ACTIVATIONS,
        "return self._where(x > 0, dy, 0.0) if slope == 0.0",
        "return self._where(dy > 0, dy, 0.0) if slope == 0.0",
    ),
    Bug(
        "leaky relu: slope on the wrong side",
        ACTIVATIONS,
        "else self.xp.where(x > 0, dy, slope * dy)",
        "else self.xp.where(x > 0, slope * dy, dy)",
    ),
    Bug(
        "leaky relu: slope forgotten backward",
        "layers/activations.py",
        "return ops.relu_dx(dy, x, self.negative_slope)",
        "return ops.relu_dx(dy, x)",
    ),
    Bug("sigmoid: derivative of the input", ACTIVATIONS, "return dy * y * (1 - y)", "return dy * (1 - y)"),
    Bug("sigmoid: derivative of tanh", ACTIVATIONS, "return dy * y * (1 - y)", "return dy * (1 - y * y)"),
    Bug("tanh: square forgotten", ACTIVATIONS, "return dy * (1 - y * y)", "return dy * (1 - y)"),
    Bug(
        "gelu: inner derivative without its 3",
        ACTIVATIONS,
        "inner = _GELU_SCALE * (1 + 3 * _GELU_CUBIC * x * x)",
        "inner = _GELU_SCALE * (1 + _GELU_CUBIC * x * x)",
    ),
    Bug(
        "gelu: product rule forgotten",
        ACTIVATIONS,
        "return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner)",
        "return dy * (0.5 * (1 + t))",
    ),
    # -- softmax
    Bug(
        "softmax: only the diagonal of its Jacobian",
        LOSSES,
        "return y * (dy - self.xp.sum(dy * y, axis=-1, keepdims=True))",
        "return y * (1 - y) * dy",
    ),
    Bug(
        "softmax: sum over the batch",
        LOSSES,
        "return y * (dy - self.xp.sum(dy * y, axis=-1, keepdims=True))",
        "return y * (dy - self.xp.sum(dy * y, axis=0, keepdims=True))",
    ),
    Bug(
        "log softmax: probabilities forgotten",
        LOSSES,
        "return dy - self.xp.exp(y) * self.xp.sum(dy, axis=-1, keepdims=True)",
        "return dy - self.xp.sum(dy, axis=-1, keepdims=True)",
    ),
    # -- normalisation
    Bug(
        "batch norm: mean's path forgotten",
        NORMALIZATION,
        "dx_hat = dx_hat - mean - x_hat * along",
        "dx_hat = dx_hat - x_hat * along",
    ),
    Bug(
        "batch norm: variance's path forgotten",
        NORMALIZATION,
        "dx_hat = dx_hat - mean - x_hat * along",
        "dx_hat = dx_hat - mean",
    ),
    Bug(
        "batch norm: weight forgotten backward",
        NORMALIZATION,
        "        dx_hat = weight * dy\n",
        "        dx_hat = 1.0 * dy\n",
    ),
    Bug(
        "batch norm: variance for its root",
        NORMALIZATION,
        "return dx_hat / self.xp.sqrt(variance + epsilon)",
        "return dx_hat / (variance + epsilon)",
    ),
    Bug(
        "batch norm: weight's gradient without x hat",
        NORMALIZATION,
        "weight[...] = self.xp.sum(dy * x_hat, axis=tuple(axes))",
        "weight[...] = self.xp.sum(dy, axis=tuple(axes))",
    ),
    Bug("batch norm: the batch's statistics in prediction", NORM, "self._axes if training else None)", "self._axes)"),
    Bug(
        "batch norm: biased variance in the running average",
        NORM,
        "ops.affine(variance, size / (size - 1), 0.0)",
        "ops.affine(variance, 1.0, 0.0)",
    ),
    Bug(
        "running averages: momentum the other way round",
        OPTIMIZERS,
        "average += momentum * (self.xp.reshape(value, average.shape) - average)",
        "average += (1 - momentum) * (self.xp.reshape(value, average.shape) - average)",
    ),
    Bug("layer norm: along the batch", NORM, "self.weight, (-1,))", "self.weight, (0,))"),
    # -- dropout, structure
    Bug("dropout: not scaled", NORMALIZATION, "like.dtype) / (1 - p)", "like.dtype)"),
    Bug(
        "dropout: mask forgotten backward",
        "layers/dropout.py",
        "return dy if mask is None else ops.multiply(dy, mask)",
        "return dy",
    ),
    Bug(
        "residual: shortcut forgotten backward",
        "layers/sequential.py",
        'return ops.add(dy, self.branch.backward(dy, cache, ops=ops, grads=grads["branch"]))',
        'return self.branch.backward(dy, cache, ops=ops, grads=grads["branch"])',
    ),
    Bug(
        "sequential: cache of the layer before",
        "layers/sequential.py",
        "dy = self.layers[index].backward(dy, caches[index], ops=ops,",
        "dy = self.layers[index].backward(dy, caches[index - 1], ops=ops,",
    ),
    # -- losses
    Bug(
        "cross-entropy: 1/N missing",
        "losses.py",
        '1.0 / (rows * width) if self.reduction == "mean" else 1.0',
        '1.0 if self.reduction == "mean" else 1.0',
    ),
    Bug(
        "softmax cross-entropy: target forgotten",
        LOSSES,
        "dx = w[:, None] * (probabilities * total - targets)",
        "dx = w[:, None] * (probabilities * total)",
    ),
    Bug(
        "softmax cross-entropy: opposite sign",
        LOSSES,
        "dx = w[:, None] * (probabilities * total - targets)",
        "dx = w[:, None] * (targets - probabilities * total)",
    ),
    Bug(
        "cross-entropy: probability not divided by",
        LOSSES,
        "return -w[:, None] * targets / self.xp.maximum(probabilities, self._number(floor, probabilities))",
        "return -w[:, None] * targets",
    ),
    Bug(
        "binary cross-entropy: scores for probabilities",
        LOSSES,
        "return w[:, None] * (self.sigmoid(logits) - targets)",
        "return w[:, None] * (logits - targets)",
    ),
    Bug(
        "squared error: 2 forgotten",
        LOSSES,
        "return 2 * w[:, None] * (y - targets)",
        "return w[:, None] * (y - targets)",
    ),
    # -- optimizers
    Bug(
        "adam: betas exchanged",
        OPTIMIZERS,
        "        m *= betas[0]\n        m += (1 - betas[0]) * g\n",
        "        m *= betas[1]\n        m += (1 - betas[1]) * g\n",
    ),
    Bug("adam: correction forgotten", OPTIMIZERS, "m_hat = m / (1 - betas[0] ** step)", "m_hat = m"),
    Bug("adam: step counted from 0", "optimizers.py", "            step=step,\n", "            step=step - 1,\n"),
    Bug(
        "adam: root forgotten",
        OPTIMIZERS,
        "w -= lr * m_hat / (self.xp.sqrt(v_hat) + epsilon)",
        "w -= lr * m_hat / (v_hat + epsilon)",
    ),
    Bug("adamw: decay not times the rate", OPTIMIZERS, "w *= 1 - lr * decay", "w *= 1 - decay"),
    Bug("rmsprop: mean square without the square", OPTIMIZERS, "v += (1 - alpha) * g * g", "v += (1 - alpha) * g"),
    Bug(
        "sgd: momentum on the step, not the gradient",
        OPTIMIZERS,
        "            velocity *= momentum\n            velocity += g\n",
        "            velocity *= momentum\n            velocity += (1 - momentum) * g\n",
    ),
    Bug(
        "sgd: nesterov is plain momentum",
        OPTIMIZERS,
        "g = g + momentum * velocity if nesterov else velocity",
        "g = velocity",
    ),
    Bug(
        "sgd: decay forgotten",
        OPTIMIZERS,
        "        if decay:\n            g = g + decay * w\n        if velocity is not None:",
        "        if velocity is not None:",
    ),
]
