"""Matrix products: the operation in which training spends its time.

Every number of a product is summed over the depth in one fixed order, however the work is cut into tiles and shares, so
a result does not depend on the number of threads.
"""

from typing import Any

from handgrad.ops.fused.native import doubles, floats, helper
from handgrad.ops.fused.tile import (
    LANES,
    ROWS,
    WIDE,
    add_product,
    add_squares,
    load_tile,
    scaled_sum,
    store_tile,
    zero_tile,
)

#: Steps of the depth that one sweep over the columns makes: few enough that the part of b which every tile of a column
#: reads stays in the cache, and fewer where its rows lie more than so many bytes apart, so that the processor fetches
#: them ahead. One core, GFLOP/s: 64 × 3136 × 128 at 136 with 512 steps, 89 without sweeps; 16 × 784 × 1024 at 108 with
#: 32 steps, 43 without.
_SWEEP, _FAR_SWEEP, _FAR_APART = 512, 32, 1024
#: Where many rows of a meet a b whose rows lie far apart, its columns are first copied together: at 128 × 784 × 512 two
#: cores took 320 µs instead of 570.
_WORTH_PACKING, _PACKED_SWEEP = 4 * ROWS, 256
_PACKED_BYTES = 3 << 18  # that a thread's scratch memory has for it, beside other things

#: A long sum is made of so many. A thread makes its own, so it needs only its own rows of b, and later updates them.
#: With columns instead, what it fetches ahead lies among those of another thread, who writes there: on two cores a
#: step of 784-1024-10 at batch 16 took 485 µs, not 300, and one of 784-128-10 at 64 took 158 µs, not 125, no less
#: than on one.
PARTS = 4
#: The length from which on.
MANY_INPUTS = 256


def _tile_product(rows: int, vectors: int) -> Any:
    """A function that computes one tile, starting from zeros or from a tile in memory."""

    @helper
    def compute(a, a_row, a_step, b, b_step, c, c_row, columns, depth, start, start_row):
        tile = zero_tile(rows, vectors)
        if start != 0:
            tile = load_tile(rows, vectors, start, start_row, columns)
        for _ in range(depth):
            tile = add_product(tile, rows, vectors, a, a_row, b, columns)
            a += a_step
            b += b_step
        store_tile(tile, rows, vectors, c, c_row, columns)

    return compute


def _tile_step(rows: int, vectors: int) -> Any:
    """A function that computes one tile of a gradient, and takes the weights there a step along it."""

    @helper
    def compute(a, a_row, a_step, b, b_step, w, w_row, columns, depth, rate, decay, squares):
        tile = zero_tile(rows, vectors)
        for _ in range(depth):
            tile = add_product(tile, rows, vectors, a, a_row, b, columns)
            a += a_step
            b += b_step
        weight = load_tile(rows, vectors, w, w_row, columns)
        step = scaled_sum(tile, decay, weight)  # g + λ w
        store_tile(scaled_sum(weight, -rate, step), rows, vectors, w, w_row, columns)
        add_squares(tile, squares)

    return compute


_full_wide, _full_narrow = _tile_product(ROWS, 2), _tile_product(ROWS, 1)
_half_wide, _half_narrow = _tile_product(ROWS // 2, 2), _tile_product(ROWS // 2, 1)
_one_wide, _one_narrow = _tile_product(1, 2), _tile_product(1, 1)
_full_wide_step, _full_narrow_step = _tile_step(ROWS, 2), _tile_step(ROWS, 1)
_one_wide_step, _one_narrow_step = _tile_step(1, 2), _tile_step(1, 1)


@helper
def _tile(a, a_row, a_step, b, b_step, c, c_row, left, width, depth, start, start_row):
    """One tile with as many of the rows that are left as a tile can have; returns how many that was."""
    if width == WIDE:
        if left >= ROWS:
            _full_wide(a, a_row, a_step, b, b_step, c, c_row, width, depth, start, start_row)
            return ROWS
        if left >= ROWS // 2:
            _half_wide(a, a_row, a_step, b, b_step, c, c_row, width, depth, start, start_row)
            return ROWS // 2
        _one_wide(a, a_row, a_step, b, b_step, c, c_row, width, depth, start, start_row)
        return 1
    if left >= ROWS:
        _full_narrow(a, a_row, a_step, b, b_step, c, c_row, width, depth, start, start_row)
        return ROWS
    if left >= ROWS // 2:
        _half_narrow(a, a_row, a_step, b, b_step, c, c_row, width, depth, start, start_row)
        return ROWS // 2
    _one_narrow(a, a_row, a_step, b, b_step, c, c_row, width, depth, start, start_row)
    return 1


@helper
def part_of(inputs, part, parts):
    """First input and number of inputs of a part: whole blocks of ROWS."""
    blocks = -(-inputs // ROWS)
    first = min(blocks * part // parts * ROWS, inputs)
    return first, min(blocks * (part + 1) // parts * ROWS, inputs) - first


@helper
def tile_width(left):
    """Columns of the next tile."""
    return WIDE if left >= WIDE else min(LANES, left)


@helper
def _pack(b, b_step, packed, steps, width):
    """Copy `steps` rows of a column of tiles so that they lie one behind the other."""
    for step in range(steps):
        source, target = floats(b + step * b_step), floats(packed + 4 * WIDE * step)
        for column in range(width):
            target[column] = source[column]


@helper
def multiply(a, a_row, a_step, b, b_step, c, c_row, rows, columns, depth, bias, scratch):
    """c[r, j] = bias[j] + Σ_k a[r, k] b[k, j], for a b that is large: each part of it is read once.

    Rows of a lie `a_row` bytes apart and its steps of k `a_step`. Without a bias (address 0) the sum starts from 0.
    """
    is_far = b_step >= _FAR_APART  # bytes from one row of b to the next
    packs = is_far and rows >= _WORTH_PACKING
    stride = _FAR_SWEEP if is_far and not packs else _PACKED_SWEEP if packs else _SWEEP
    for sweep in range(0, depth, stride):
        steps = min(stride, depth - sweep)
        column = 0
        while column < columns:
            width, row = tile_width(columns - column), 0
            b_tile, b_next = b + sweep * b_step + 4 * column, b_step
            if packs:
                _pack(b_tile, b_step, scratch, steps, width)
                b_tile, b_next = scratch, 4 * WIDE
            while row < rows:
                a_tile, c_tile = a + row * a_row + sweep * a_step, c + row * c_row + 4 * column
                start, start_row = c_tile, c_row
                if sweep == 0:
                    start, start_row = (bias + 4 * column if bias != 0 else 0), 0
                row += _tile(
                    a_tile, a_row, a_step, b_tile, b_next, c_tile, c_row, rows - row, width, steps, start, start_row
                )
            column += width


@helper
def multiply_into(a, a_row, a_step, b, b_step, c, c_row, rows, columns, depth):
    """c[r, j] = Σ_k a[r, k] b[k, j], for a c that is large: it is written once, row after row."""
    row = 0
    while row < rows:
        column, height = 0, 0
        while column < columns:
            width = tile_width(columns - column)
            c_tile = c + row * c_row + 4 * column
            height = _tile(
                a + row * a_row, a_row, a_step, b + 4 * column, b_step, c_tile, c_row, rows - row, width, depth, 0, 0
            )
            column += width
        row += height


@helper
def step_along_product(a, a_step, b, b_step, b_block, w, w_row, rows, columns, depth, rate, decay, squares, by_columns):
    """w ← w − rate (g + decay w) for g[r, j] = Σ_k a[r, k] b[k, j], where a's rows lie side by side.

    Blocks of WIDE columns of b lie `b_block` bytes apart, and within one, its rows `b_step`.

    g is never written: where w is large, that saves three passes through memory. `squares` gets Σ g², LANES partial
    sums for each block of WIDE columns or, without `by_columns`, of ROWS rows.
    """
    row = 0
    while row < rows:
        height = ROWS if rows - row >= ROWS else 1
        column = 0
        while column < columns:
            width = tile_width(columns - column)
            a_tile, w_tile = a + 4 * row, w + row * w_row + 4 * column
            b_tile = b + column // WIDE * b_block + 4 * (column % WIDE)
            sums = squares + 4 * LANES * (column // WIDE if by_columns else row // ROWS)
            if width == WIDE and height == ROWS:
                _full_wide_step(a_tile, 4, a_step, b_tile, b_step, w_tile, w_row, width, depth, rate, decay, sums)
            elif height == ROWS:
                _full_narrow_step(a_tile, 4, a_step, b_tile, b_step, w_tile, w_row, width, depth, rate, decay, sums)
            elif width == WIDE:
                _one_wide_step(a_tile, 4, a_step, b_tile, b_step, w_tile, w_row, width, depth, rate, decay, sums)
            else:
                _one_narrow_step(a_tile, 4, a_step, b_tile, b_step, w_tile, w_row, width, depth, rate, decay, sums)
            column += width
        row += height


@helper
def pack_blocks(b, b_step, packed, columns, depth):
    """Copy b's blocks of WIDE columns one behind the other, if that is worth it; returns where they lie and how.

    That is the address, the bytes from row to row and from block to block.
    """
    blocks = (columns + WIDE - 1) // WIDE
    if b_step < _FAR_APART or depth < _WORTH_PACKING or 4 * WIDE * blocks * depth > _PACKED_BYTES:
        return b, b_step, 4 * WIDE
    for block in range(blocks):
        width = min(WIDE, columns - block * WIDE)
        _pack(b + 4 * WIDE * block, b_step, packed + 4 * WIDE * depth * block, depth, width)
    return packed, 4 * WIDE, 4 * WIDE * depth


@helper
def add_lanes(squares, sums, begin, end):
    """sums[i] = the sum of block i's LANES partial sums; block `begin` lies first."""
    partial, total = floats(squares), doubles(sums)
    for block in range(begin, end):
        total[block] = 0.0
        for lane in range(LANES):
            total[block] += partial[(block - begin) * LANES + lane]
