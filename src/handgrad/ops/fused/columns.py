"""Normalization by columns: statistics of a channel over the batch, whose numbers do not lie together.

They are a column of a matrix (M, C), with M = N, or N·H·W for images. The matrix is read in *runs* of whole rows, so
that every loop is long enough for vectors, however few the channels.
"""

import numpy as np

from handgrad.ops.fused.native import floats, helper, kernel, real
from handgrad.ops.fused.threads import SCRATCH_BYTES

_f = np.float32
_RUN = 512  # numbers: a long loop, and several runs fit the fastest cache
#: Four runs, of one row at least, must fit a thread's scratch memory.
MOST_COLUMNS = SCRATCH_BYTES // (4 * 4)
#: Columns that one item of `moments_of_columns` and `sum_of_pieces` finishes.
COLUMNS_TOGETHER = 64


@helper
def _run(columns):
    """Numbers in a run: as many whole rows as come near _RUN."""
    return max(1, _RUN // columns) * columns


@helper
def _repeat(row, columns):
    """Copy the first row of a run to all others."""
    for start in range(columns, _run(columns), columns):
        for c in range(columns):
            row[start + c] = row[c]


@helper
def _fold(sums, run, columns, total):
    """total = Σ of the rows of a run."""
    for c in range(columns):
        total[c] = sums[c]
    for start in range(columns, run, columns):
        for c in range(columns):
            total[c] += sums[start + c]


@helper
def _sum(x, size, columns, sums, total):
    """Σ x of every column of `size` numbers; `sums` holds a run meanwhile."""
    run = min(_run(columns), size)
    for i in range(run):
        sums[i] = 0
    for start in range(0, size, run):
        for i in range(min(run, size - start)):
            sums[i] += x[start + i]
    _fold(sums, run, columns, total)


@helper
def _sum_squares(x, centre, size, columns, sums, total):
    """Σ (x − centre)² of every column; `centre` is repeated to a run."""
    run = min(_run(columns), size)
    for i in range(run):
        sums[i] = 0
    for start in range(0, size, run):
        for i in range(min(run, size - start)):
            sums[i] += (x[start + i] - centre[i]) * (x[start + i] - centre[i])
    _fold(sums, run, columns, total)


@helper
def _sum_products(x, y, size, columns, sums, total):
    """Σ x y of every column."""
    run = min(_run(columns), size)
    for i in range(run):
        sums[i] = 0
    for start in range(0, size, run):
        for i in range(min(run, size - start)):
            sums[i] += x[start + i] * y[start + i]
    _fold(sums, run, columns, total)


@kernel
def moments_of_pieces(words, begin, end, scratch):
    """Each column's mean and Σ (x − mean)², of every piece of `height` rows by itself."""
    rows, height, columns = words[3], words[4], words[5]
    centre, sums = floats(scratch), floats(scratch + 4 * _run(columns))
    for piece in range(begin, end):
        count = min((piece + 1) * height, rows) - piece * height
        x = floats(words[0] + 4 * piece * height * columns)
        mean, squares = floats(words[1] + 4 * piece * columns), floats(words[2] + 4 * piece * columns)
        _sum(x, count * columns, columns, sums, mean)
        for c in range(columns):
            mean[c] /= _f(count)
            centre[c] = mean[c]
        _repeat(centre, columns)
        _sum_squares(x, centre, count * columns, columns, sums, squares)


@kernel
def moments_of_columns(words, begin, end, scratch):
    """Mean and variance of the whole, from those of the pieces, for the blocks of columns begin … end − 1.

    Σ (x − mean)² = Σ over pieces of their own sum and of count · (their mean − mean)².
    """
    rows, height, columns = words[4], words[5], words[6]
    first, last = begin * COLUMNS_TOGETHER, min(end * COLUMNS_TOGETHER, columns)
    mean, variance = floats(words[2] + 4 * first), floats(words[3] + 4 * first)
    for c in range(last - first):
        mean[c], variance[c] = 0, 0
    for piece in range(-(-rows // height)):
        count, means = _f(min(height, rows - piece * height)), floats(words[0] + 4 * (piece * columns + first))
        for c in range(last - first):
            mean[c] += count * means[c]
    for c in range(last - first):
        mean[c] /= _f(rows)
    for piece in range(-(-rows // height)):
        count, means = _f(min(height, rows - piece * height)), floats(words[0] + 4 * (piece * columns + first))
        squares = floats(words[1] + 4 * (piece * columns + first))
        for c in range(last - first):
            variance[c] += squares[c] + count * (means[c] - mean[c]) * (means[c] - mean[c])
    for c in range(last - first):
        variance[c] /= _f(rows)


@kernel
def normalize_columns(words, begin, end, scratch):
    """x̂ = (x − μ) / √(σ² + ε) and y = γ x̂ + β, for begin … end − 1 of items of `size` numbers."""
    mean, variance, weight, bias = floats(words[1]), floats(words[2]), floats(words[3]), floats(words[4])
    size, columns, epsilon = words[7], words[8], _f(real(words[9]))
    run = _run(columns)
    means, scales, weights = floats(scratch), floats(scratch + 4 * run), floats(scratch + 8 * run)
    biases = floats(scratch + 12 * run)
    for c in range(columns):
        means[c], scales[c] = mean[c], _f(1) / np.sqrt(variance[c] + epsilon)
        weights[c], biases[c] = weight[c], bias[c]
    _repeat(means, columns)
    _repeat(scales, columns)
    _repeat(weights, columns)
    _repeat(biases, columns)
    for start in range(begin * size, end * size, run):
        x, y, x_hat = floats(words[0] + 4 * start), floats(words[5] + 4 * start), floats(words[6] + 4 * start)
        for i in range(min(run, end * size - start)):
            x_hat[i] = (x[i] - means[i]) * scales[i]
            y[i] = weights[i] * x_hat[i] + biases[i]


@kernel
def gradients_of_pieces(words, begin, end, scratch):
    """Each column's Σ ȳ x̂ and Σ ȳ, of every piece of `height` rows by itself."""
    rows, height, columns = words[4], words[5], words[6]
    for piece in range(begin, end):
        size = (min((piece + 1) * height, rows) - piece * height) * columns
        dy, x_hat = floats(words[0] + 4 * piece * height * columns), floats(words[1] + 4 * piece * height * columns)
        products, sums = floats(words[2] + 4 * piece * columns), floats(words[3] + 4 * piece * columns)
        _sum_products(dy, x_hat, size, columns, floats(scratch), products)
        _sum(dy, size, columns, floats(scratch), sums)


@kernel
def sum_of_pieces(words, begin, end, scratch):
    """Σ over pieces of both sums, in order, for the blocks of columns begin … end − 1."""
    rows, height, columns = words[4], words[5], words[6]
    first, last = begin * COLUMNS_TOGETHER, min(end * COLUMNS_TOGETHER, columns)
    for which in range(2):
        total = floats(words[2 + which] + 4 * first)
        for c in range(last - first):
            total[c] = 0
        for piece in range(-(-rows // height)):
            sums = floats(words[which] + 4 * (piece * columns + first))
            for c in range(last - first):
                total[c] += sums[c]


@kernel
def normalize_columns_dx(words, begin, end, scratch):
    """x̄ = γ / √(σ² + ε) · (ȳ − β̄ / M − x̂ γ̄ / M), for begin … end − 1 of items of `size` numbers."""
    variance, weight, along, sums = floats(words[2]), floats(words[3]), floats(words[5]), floats(words[6])
    size, columns, epsilon, rows = words[7], words[8], _f(real(words[9])), _f(words[10])
    run = _run(columns)
    scales, means, slopes = floats(scratch), floats(scratch + 4 * run), floats(scratch + 8 * run)
    for c in range(columns):
        scales[c] = weight[c] / np.sqrt(variance[c] + epsilon)
        means[c], slopes[c] = sums[c] / rows, along[c] / rows
    _repeat(scales, columns)
    _repeat(means, columns)
    _repeat(slopes, columns)
    for start in range(begin * size, end * size, run):
        dy, x_hat, dx = floats(words[0] + 4 * start), floats(words[1] + 4 * start), floats(words[4] + 4 * start)
        for i in range(min(run, end * size - start)):
            dx[i] = scales[i] * (dy[i] - means[i] - x_hat[i] * slopes[i])


@kernel
def scale_columns(words, begin, end, scratch):
    """x̄ = γ / √(σ² + ε) · ȳ: where μ and σ² are constants."""
    variance, weight = floats(words[2]), floats(words[3])
    size, columns, epsilon = words[5], words[6], _f(real(words[7]))
    run, scales = _run(columns), floats(scratch)
    for c in range(columns):
        scales[c] = weight[c] / np.sqrt(variance[c] + epsilon)
    _repeat(scales, columns)
    for start in range(begin * size, end * size, run):
        dy, dx = floats(words[0] + 4 * start), floats(words[4] + 4 * start)
        for i in range(min(run, end * size - start)):
            dx[i] = scales[i] * dy[i]
