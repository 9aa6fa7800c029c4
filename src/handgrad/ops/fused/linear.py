"""The linear layer's operations.

A weight (out, in) lies in memory as V = Wᵀ (in, out), which is how its forward product reads it.
"""

import numpy as np

from handgrad.ops.fused.native import doubles, floats, helper, integers, kernel, real
from handgrad.ops.fused.products import (
    MANY_INPUTS,
    PARTS,
    add_lanes,
    multiply,
    multiply_into,
    pack_blocks,
    part_of,
    step_along_product,
)
from handgrad.ops.fused.recorder import NotTraceable, Recorder, Value, Written, require_shape
from handgrad.ops.fused.tile import LANES, ROWS, WIDE
from handgrad.ops.interface import Array

_SMALL_WEIGHT = 16_384  # numbers; each thread may as well read all of them
_GROUPS = 4  # of columns, so that more threads than there are parts have work
_MANY_OUTPUTS = 32_768  # numbers, whose sums are written and read once for each part
_FEW_BLOCKS = 4  # of columns, below which rows are shared out instead
#: Columns that one item of `column_sums` finishes.
SUMMED_TOGETHER = 64
_TURNED_TOGETHER = 16  # rows: a cache line of each is read whole before it is pushed out
_STEP_PIECE = 1024  # blocks of rows whose partial sums fit the scratch memory


@helper
def _block(columns, begin, end):
    """First column and number of columns of blocks begin … end − 1, each WIDE columns but the last."""
    return begin * WIDE, min(end * WIDE, columns) - begin * WIDE


@kernel
def linear_by_rows(words, begin, end, scratch):
    """y = x V + b for rows begin … end − 1."""
    x, weight, bias, y, inputs, outputs = words[0], words[1], words[2], words[3], words[4], words[5]
    x, y = x + 4 * begin * inputs, y + 4 * begin * outputs
    multiply(x, 4 * inputs, 4, weight, 4 * outputs, y, 4 * outputs, end - begin, outputs, inputs, bias, scratch)


@kernel
def linear_by_columns(words, begin, end, scratch):
    """y = x V + b for all rows and the blocks of columns begin … end − 1."""
    x, weight, bias, y, inputs, outputs, rows = words[0], words[1], words[2], words[3], words[4], words[5], words[6]
    first, columns = _block(outputs, begin, end)
    bias = bias + 4 * first if bias != 0 else 0
    weight, y = weight + 4 * first, y + 4 * first
    multiply(x, 4 * inputs, 4, weight, 4 * outputs, y, 4 * outputs, rows, columns, inputs, bias, scratch)


@kernel
def linear_by_parts(words, begin, end, scratch):
    """What parts of the inputs add to x V; an item is a part, and one of the groups of columns."""
    x, weight, sums, inputs, outputs, rows, parts = words[0], words[1], words[2], words[3], words[4], words[5], words[6]
    item = begin
    while item < end:
        part, group = item // _GROUPS, item % _GROUPS
        groups = min(_GROUPS - group, end - item)
        first, depth = part_of(inputs, part, parts)
        blocks = -(-outputs // WIDE)
        column, columns = _block(outputs, blocks * group // _GROUPS, blocks * (group + groups) // _GROUPS)
        multiply(
            x + 4 * first, 4 * inputs, 4, weight + 4 * (first * outputs + column), 4 * outputs,
            sums + 4 * (part * rows * outputs + column), 4 * outputs, rows, columns, depth, 0, scratch,
        )  # fmt: skip
        item += groups


@kernel
def add_parts(words, begin, end, scratch):
    """y = b + Σ over the parts, for rows begin … end − 1."""
    sums, bias, out, rows, outputs, parts = words[0], words[1], words[2], words[3], words[4], words[5]
    for row in range(begin, end):
        y, first = floats(out + 4 * row * outputs), floats(bias)
        for column in range(outputs):
            y[column] = first[column] if bias != 0 else np.float32(0)
        for part in range(parts):
            added = floats(sums + 4 * (part * rows + row) * outputs)
            for column in range(outputs):
                y[column] += added[column]


@kernel
def weight_gradient_by_rows(words, begin, end, scratch):
    """V̄ = xᵀ ȳ for the blocks of ROWS inputs begin … end − 1."""
    x, dy, out, inputs, outputs, rows = words[0], words[1], words[2], words[3], words[4], words[5]
    first, last = begin * ROWS, min(end * ROWS, inputs)
    x, out = x + 4 * first, out + 4 * first * outputs
    multiply_into(x, 4, 4 * inputs, dy, 4 * outputs, out, 4 * outputs, last - first, outputs, rows)


@kernel
def weight_gradient_by_columns(words, begin, end, scratch):
    """V̄ = xᵀ ȳ for the blocks of outputs begin … end − 1: those of which a thread also made the forward product."""
    x, dy, out, inputs, outputs, rows = words[0], words[1], words[2], words[3], words[4], words[5]
    first, columns = _block(outputs, begin, end)
    dy, out = dy + 4 * first, out + 4 * first
    multiply_into(x, 4, 4 * inputs, dy, 4 * outputs, out, 4 * outputs, inputs, columns, rows)


@kernel
def weight_step_by_rows(words, begin, end, scratch):
    """V ← V − η (V̄ + λ V) for V̄ = xᵀ ȳ, and Σ V̄² of each of the blocks of ROWS inputs begin … end − 1."""
    x, dy, weight, inputs, outputs, rows = words[0], words[1], words[2], words[3], words[4], words[5]
    rate, decay = np.float32(real(words[8])), np.float32(real(words[9]))
    if words[7] != 0 and integers(words[7])[0] == 0:
        _refuse(words[6], begin, end)
        return
    first, last = begin * ROWS, min(end * ROWS, inputs)
    packed = scratch + 4 * LANES * _STEP_PIECE
    dy, dy_row, dy_block = pack_blocks(dy, 4 * outputs, packed, outputs, rows)
    for piece in range(0, last - first, _STEP_PIECE * ROWS):
        height = min(_STEP_PIECE * ROWS, last - first - piece)
        here = first + piece
        _clear(scratch, -(-height // ROWS))
        step_along_product(
            x + 4 * here, 4 * inputs, dy, dy_row, dy_block, weight + 4 * here * outputs, 4 * outputs,
            height, outputs, rows, rate, decay, scratch, False,
        )  # fmt: skip
        add_lanes(scratch, words[6], here // ROWS, here // ROWS - (-height // ROWS))


@kernel
def weight_step_by_columns(words, begin, end, scratch):
    """The same for all inputs, and the blocks of outputs begin … end − 1."""
    x, dy, weight, inputs, outputs, rows = words[0], words[1], words[2], words[3], words[4], words[5]
    rate, decay = np.float32(real(words[8])), np.float32(real(words[9]))
    if words[7] != 0 and integers(words[7])[0] == 0:
        _refuse(words[6], begin, end)
        return
    first, columns = _block(outputs, begin, end)
    _clear(scratch, end - begin)
    packed = scratch + 4 * LANES * (end - begin)
    dy, dy_row, dy_block = pack_blocks(dy + 4 * first, 4 * outputs, packed, columns, rows)
    step_along_product(
        x, 4 * inputs, dy, dy_row, dy_block, weight + 4 * first, 4 * outputs,
        inputs, columns, rows, rate, decay, scratch, True,
    )  # fmt: skip
    add_lanes(scratch, words[6], begin, end)


@helper
def _refuse(sums, begin, end):
    """Leave the weights alone; the norm becomes infinite and is reported."""
    total = doubles(sums)
    for block in range(begin, end):
        total[block] = np.inf


@helper
def _clear(squares, blocks):
    """Zero the partial sums of some blocks."""
    partial = floats(squares)
    for i in range(blocks * LANES):
        partial[i] = 0


@kernel
def column_sums(words, begin, end, scratch):
    """Σₙ of x (rows, columns) for the blocks of columns begin … end − 1."""
    rows, columns = words[2], words[3]
    first, last = begin * SUMMED_TOGETHER, min(end * SUMMED_TOGETHER, columns)
    total = floats(words[1] + 4 * first)
    for column in range(last - first):
        total[column] = 0
    for row in range(rows):
        x = floats(words[0] + 4 * (row * columns + first))
        for column in range(last - first):
            total[column] += x[column]


@kernel
def transpose(words, begin, end, scratch):
    """y (columns, rows) from x (rows, columns), for the columns of x begin … end − 1."""
    rows, columns = words[2], words[3]
    for first in range(0, rows, _TURNED_TOGETHER):
        last = min(first + _TURNED_TOGETHER, rows)
        for column in range(begin, end):
            x, y = floats(words[0] + 4 * column), floats(words[1] + 4 * column * rows)
            for row in range(first, last):
                y[row] = x[row * columns]


class LinearOps(Recorder):
    """The linear layer's operations, recorded."""

    def linear(self, x: Array, weight: Array, bias: Array | None) -> Value:
        x, weight = self.value(x), self.value(weight, (1, 0))
        outputs, inputs = weight.shape
        bias = None if bias is None else self.value(bias)
        _require_rows(x, inputs, bias, outputs)
        return self._product(x, weight, bias, inputs, outputs)

    def linear_dx(self, dy: Array, weight: Array) -> Value:
        dy, weight = self.value(dy), self.value(weight, (1, 0))
        outputs, inputs = weight.shape
        _require_rows(dy, outputs)
        turned = self.new((outputs, inputs))  # V (in, out) → Vᵀ (out, in)
        self.emit(transpose, weight, Written(turned), inputs, outputs, items=outputs)
        return self._product(dy, turned, None, outputs, inputs)

    def linear_grads(self, dy: Array, x: Array, out: tuple[Array, Array | None]) -> None:
        dy, x, weight = self.value(dy), self.value(x), self.value(out[0], (1, 0))
        outputs, inputs = weight.shape
        bias = None if out[1] is None else self.value(out[1])
        _require_rows(x, inputs, bias, outputs)
        require_shape((*x.shape[:-1], outputs), dy)
        rows = dy.size // outputs
        blocks = -(-outputs // WIDE)
        arguments = (x, dy, Written(weight), inputs, outputs, rows)
        by_columns = blocks >= _FEW_BLOCKS and inputs < MANY_INPUTS
        chosen, items = weight_gradient_by_columns, blocks
        if not by_columns:
            chosen, items = weight_gradient_by_rows, -(-inputs // ROWS)
        self.emit(chosen, *arguments, items=items, flops=2 * rows * inputs * outputs)
        if bias is not None:
            self.sum_columns(dy, bias, rows, outputs)

    def sum_columns(self, x: Value, out: Value, rows: int, columns: int) -> None:
        """Record Σₙ x into out."""
        items = -(-columns // SUMMED_TOGETHER)
        self.emit(column_sums, x, Written(out), rows, columns, items=items, flops=rows * columns)

    def _product(self, x: Value, matrix: Value, bias: Value | None, inputs: int, outputs: int) -> Value:
        """Record y = x M + b for M (inputs, outputs) in row-major order."""
        rows, blocks = x.size // inputs, -(-outputs // WIDE)
        y = self.new((*x.shape[:-1], outputs))
        arguments = (x, matrix, bias, Written(y), inputs, outputs, rows)
        flops = 2 * rows * inputs * outputs
        if inputs * outputs <= _SMALL_WEIGHT or blocks < _FEW_BLOCKS:
            whole = [matrix] if bias is None else [matrix, bias]
            self.emit(linear_by_rows, *arguments, items=rows, by_rows=True, whole=whole, flops=flops)
        elif inputs >= MANY_INPUTS:
            self._product_by_parts(x, matrix, bias, y, inputs)
        else:
            self.emit(linear_by_columns, *arguments, items=blocks, flops=flops)
        return y

    def _product_by_parts(self, x: Value, matrix: Value, bias: Value | None, y: Value, inputs: int) -> None:
        """Record y = x M + b as a sum of what parts of the inputs add."""
        rows, outputs = x.size // inputs, y.shape[-1]
        parts = PARTS if y.size <= _MANY_OUTPUTS else PARTS // 2
        sums, flops = self.new((parts, rows, outputs)), 2 * rows * inputs * outputs
        sizes = inputs, outputs, rows, parts
        self.emit(linear_by_parts, x, matrix, Written(sums), *sizes, items=parts * _GROUPS, flops=flops)
        whole = [sums] if bias is None else [sums, bias]
        arguments = sums, bias, Written(y), rows, outputs, parts
        self.emit(add_parts, *arguments, items=rows, by_rows=True, whole=whole, flops=parts * y.size)


def _require_rows(x: Value, width: int, bias: Value | None = None, outputs: int = 0) -> None:
    if x.ndim == 4 or x.shape[-1:] != (width,):
        raise NotTraceable(f"the last axis of {x.shape}, which should be {width} long and lie together in memory")
    if bias is not None:
        require_shape((outputs,), bias)
