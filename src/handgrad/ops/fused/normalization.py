"""Normalization and dropout, recorded."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handgrad.ops.fused import columns
from handgrad.ops.fused.native import Native, floats, helper, kernel, real
from handgrad.ops.fused.recorder import (
    Argument,
    Draw,
    NotTraceable,
    Randomness,
    Recorder,
    Value,
    Written,
    require_shape,
    row_size,
)
from handgrad.ops.interface import Array, Shape

_f = np.float32
_LEAST_HEIGHT = 16  # rows of a piece
_MOST_PIECES = 64  # unless they are images


@helper(reorder=True)
def _sum(x, size):
    """Σ x, in as many partial sums as a vector has lanes, the same at every call."""
    result = _f(0)
    for i in range(size):
        result += x[i]
    return result


@helper(reorder=True)
def _sum_of_squares(x, centre, size):
    """Σ (x − centre)²."""
    result = _f(0)
    for i in range(size):
        result += (x[i] - centre) * (x[i] - centre)
    return result


@kernel
def moments_of_rows(words, begin, end, scratch):
    """Each row's mean and variance."""
    mean, variance, size = floats(words[1]), floats(words[2]), words[3]
    for row in range(begin, end):
        x = floats(words[0] + 4 * row * size)
        mean[row] = _sum(x, size) / _f(size)
        variance[row] = _sum_of_squares(x, mean[row], size) / _f(size)


@kernel
def normalize_rows(words, begin, end, scratch):
    """x̂ = (x − μ) / √(σ² + ε) and y = γ x̂ + β, row by row."""
    mean, variance, weight, bias = floats(words[1]), floats(words[2]), floats(words[3]), floats(words[4])
    size, epsilon = words[7], _f(real(words[8]))
    for row in range(begin, end):
        start, centre, scale = 4 * row * size, mean[row], _f(1) / np.sqrt(variance[row] + epsilon)
        x, y, x_hat = floats(words[0] + start), floats(words[5] + start), floats(words[6] + start)
        for i in range(size):
            x_hat[i] = (x[i] - centre) * scale
            y[i] = weight[i] * x_hat[i] + bias[i]


@helper(reorder=True)
def _row_sums(dy, weight, x_hat, size):
    """Σ γ ȳ and Σ γ ȳ x̂."""
    total, along = _f(0), _f(0)
    for i in range(size):
        total += weight[i] * dy[i]
        along += weight[i] * dy[i] * x_hat[i]
    return total, along


@kernel
def normalize_rows_dx(words, begin, end, scratch):
    """x̄ = (ȳ γ − mean(ȳ γ) − x̂ mean(ȳ γ x̂)) / √(σ² + ε), row by row."""
    variance, weight, size, epsilon = floats(words[2]), floats(words[3]), words[5], _f(real(words[6]))
    for row in range(begin, end):
        start, scale = 4 * row * size, _f(1) / np.sqrt(variance[row] + epsilon)
        dy, x_hat, dx = floats(words[0] + start), floats(words[1] + start), floats(words[4] + start)
        total, along = _row_sums(dy, weight, x_hat, size)
        mean, slope = total / _f(size), along / _f(size)
        for i in range(size):
            dx[i] = scale * (weight[i] * dy[i] - mean - x_hat[i] * slope)


@kernel
def dropout_mask(words, begin, end, scratch):
    """0 where the random number is below p, else 1 / (1 − p); drawn as (C, P) an item, kept as (P, C)."""
    channels, pixels = words[2], words[3]
    p, kept = _f(real(words[4])), _f(1) / _f(real(words[5]))
    for item in range(begin, end):
        place = 4 * item * channels * pixels
        drawn, mask = floats(words[0] + place), floats(words[1] + place)
        for channel in range(channels):
            for pixel in range(pixels):
                mask[pixel * channels + channel] = kept if drawn[channel * pixels + pixel] >= p else _f(0)


@dataclass(frozen=True)
class _Pieces:
    """A matrix (rows, width) cut into pieces of `height` rows, whose columns are summed piece by piece.

    Images are cut into images, so that one is summed as soon as it is made, while it is in the cache. The cut follows
    from the shape alone, and so do the sums.
    """

    rows: int
    width: int
    height: int
    by_rows: bool

    @classmethod
    def of(cls, x: Value) -> "_Pieces":
        width = _width(x)
        rows = x.size // width
        if rows == 0:
            raise NotTraceable("the moments of nothing")
        if x.ndim == 4 and rows // x.shape[0] >= _LEAST_HEIGHT:
            return cls(rows, width, rows // x.shape[0], by_rows=True)
        return cls(rows, width, max(_LEAST_HEIGHT, -(-rows // _MOST_PIECES)), by_rows=False)

    @property
    def count(self) -> int:
        """Number of pieces."""
        return -(-self.rows // self.height)


class NormalizationOps(Recorder):
    """Normalization and dropout, recorded."""

    _gradient_sums: tuple[Value, ...] = ()

    def moments(self, x: Array, axes: Sequence[int]) -> tuple[Value, Value]:
        x = self.value(x)
        shape = _row_shape(x) if _over_rows(x, axes) else _channel_shape(x)
        mean, variance = self.new(shape), self.new(shape)
        if _over_rows(x, axes):
            self._row_by_row(moments_of_rows, x, Written(mean), Written(variance), like=x)
        else:
            parts = self._piece_by_piece(columns.moments_of_pieces, x)
            self._add_up(columns.moments_of_columns, parts, (mean, variance), like=x)
        return mean, variance

    def normalize(
        self, x: Array, mean: Array, variance: Array, epsilon: float, weight: Array, bias: Array
    ) -> tuple[Value, Value]:
        x, mean, variance, weight, bias = (self.value(each) for each in (x, mean, variance, weight, bias))
        y, x_hat = self.new(x.shape), self.new(x.shape)
        given, results, settings = (mean, variance, weight, bias), (Written(y), Written(x_hat)), (float(epsilon),)
        if _are(_channel_shape(x), *given):
            self._run_by_run(columns.normalize_columns, x, *given, *results, whole=given, settings=settings, like=x)
        elif _are(_row_shape(x), mean, variance) and _are(_channel_shape(x), weight, bias):
            self._row_by_row(normalize_rows, x, *given, *results, whole=given[2:], settings=settings, like=x)
        else:
            raise NotTraceable("statistics neither of channels nor of rows")
        return y, x_hat

    def normalize_dx(
        self, dy: Array, x_hat: Array, variance: Array, epsilon: float, weight: Array, axes: Sequence[int] | None
    ) -> Value:
        dy, x_hat, variance, weight = (self.value(each) for each in (dy, x_hat, variance, weight))
        dx, over_rows = self.new(dy.shape), axes is not None and _over_rows(dy, axes)
        arguments, settings = (dy, x_hat, variance, weight, Written(dx)), (float(epsilon),)
        require_shape(dy.shape, x_hat)
        if not _are(_row_shape(dy) if over_rows else _channel_shape(dy), variance):
            raise NotTraceable("a variance neither of channels nor of rows")
        if not _are(_channel_shape(dy), weight):
            raise NotTraceable("weights that are not those of channels")
        if over_rows:
            self._row_by_row(normalize_rows_dx, *arguments, whole=(weight,), settings=settings, like=dy)
        elif axes is None:
            self._run_by_run(columns.scale_columns, *arguments, whole=(variance, weight), settings=settings, like=dy)
        else:
            sums = self.new((_channels(dy),)), self.new((_channels(dy),))
            self._add_up(columns.sum_of_pieces, self._gradient_pieces(dy, x_hat), sums, like=dy)
            whole, all_settings = (variance, weight, *sums), (*settings, dy.size // _channels(dy))
            self._run_by_run(
                columns.normalize_columns_dx, *arguments, *sums, whole=whole, settings=all_settings, like=dy
            )
        return dx

    def normalize_grads(self, dy: Array, x_hat: Array, out: tuple[Array, Array], axes: Sequence[int]) -> None:
        dy, x_hat = self.value(dy), self.value(x_hat)
        if _over_rows(dy, axes):
            raise NotTraceable("gradients summed over the channels")
        results = self.value(out[0]), self.value(out[1])
        require_shape(dy.shape, x_hat)
        require_shape((_channels(dy),), *results)
        self._add_up(columns.sum_of_pieces, self._gradient_pieces(dy, x_hat), results, like=dy)

    def _gradient_pieces(self, dy: Value, x_hat: Value) -> tuple[Value, Value]:
        """Σ ȳ x̂ and Σ ȳ of each piece: both gradients ask for them, one after the other, so they are kept."""
        if self._gradient_sums[:2] != (dy, x_hat):
            self._gradient_sums = (dy, x_hat, *self._piece_by_piece(columns.gradients_of_pieces, dy, x_hat))
        return self._gradient_sums[2], self._gradient_sums[3]

    def _piece_by_piece(self, kernel: Native, *values: Value) -> tuple[Value, Value]:
        """Record two sums of every column of every piece, each (pieces, C)."""
        pieces = _Pieces.of(values[0])
        shape = pieces.count, pieces.width
        parts = self.new(shape), self.new(shape)
        results = Written(parts[0]), Written(parts[1])
        sizes = pieces.rows, pieces.height, pieces.width
        items, flops = pieces.count, 4 * values[0].size
        self.emit(kernel, *values, *results, *sizes, items=items, by_rows=pieces.by_rows, flops=flops)
        return parts

    def _add_up(self, kernel: Native, parts: tuple[Value, Value], out: tuple[Value, Value], like: Value) -> None:
        """Record two results for every column, from those of the pieces."""
        pieces = _Pieces.of(like)
        sizes = pieces.rows, pieces.height, pieces.width
        blocks = -(-pieces.width // columns.COLUMNS_TOGETHER)
        self.emit(kernel, *parts, Written(out[0]), Written(out[1]), *sizes, items=blocks)

    def _row_by_row(
        self,
        kernel: Native,
        *arguments: Argument,
        like: Value,
        whole: Sequence[Value] = (),
        settings: Sequence[float] = (),
    ) -> None:
        """Record what is done to each row (C,) alone."""
        size, work = like.shape[-1], 4 * like.size
        items = like.size // max(1, size)
        self.emit(kernel, *arguments, size, *settings, items=items, by_rows=True, whole=whole, flops=work)

    def _run_by_run(
        self,
        kernel: Native,
        *arguments: Argument,
        like: Value,
        whole: Sequence[Value],
        settings: Sequence[float],
    ) -> None:
        """Record what is done to each number, by what is known of its column."""
        items, width, work = like.shape[0] if like.ndim > 1 else 1, _width(like), 4 * like.size
        sizes = like.size // max(1, items), width
        self.emit(kernel, *arguments, *sizes, *settings, items=items, by_rows=True, whole=whole, flops=work)

    def randomness(self, rng: np.random.Generator) -> Randomness:
        return Randomness(rng)

    def dropout_mask(self, rng: np.random.Generator | Randomness, like: Array, p: float) -> Value:
        like = self.value(like)
        is_image = like.ndim == 4
        shape = (like.shape[0], row_size(like)) if is_image else like.shape  # drawn channel by channel, as NumPy does
        drawn, mask = self.new(shape), self.new(like.shape)
        self.draws.append(Draw(rng.generator if isinstance(rng, Randomness) else rng, drawn))
        channels = _channels(like) if is_image else 1
        sizes = channels, row_size(like) // channels
        self.rowwise(dropout_mask, drawn, Written(mask), *sizes, float(p), float(1 - p), like=like)
        return mask


def _channel_axis(x: Value) -> int:
    return 1 if x.ndim == 4 else x.ndim - 1


def _channels(x: Value) -> int:
    return x.shape[_channel_axis(x)]


def _width(x: Value) -> int:
    """Columns of x as a matrix (M, C), if there is room for a run of them."""
    if not 0 < _channels(x) <= columns.MOST_COLUMNS:
        raise NotTraceable(f"{_channels(x)} channels are normalized")
    return _channels(x)


def _channel_shape(x: Value) -> Shape:
    """Of a number for each channel, as it is broadcast over x."""
    return tuple(length if axis == _channel_axis(x) else 1 for axis, length in enumerate(x.shape))


def _row_shape(x: Value) -> Shape:
    """Of a number for each row, as it is broadcast over x."""
    if x.ndim == 4:
        raise NotTraceable("the rows of images, which do not lie together")
    return (*x.shape[:-1], 1)


def _are(shape: Shape, *values: Value) -> bool:
    """Whether the values have that shape, axes of length 1 in front apart."""
    return all((1,) * (len(shape) - value.ndim) + value.shape == shape for value in values)


def _over_rows(x: Value, axes: Sequence[int]) -> bool:
    """Whether statistics over these axes are those of rows; else they must be those of channels."""
    over = sorted(axis % x.ndim for axis in axes)
    if over == [x.ndim - 1]:
        return True
    if over == [axis for axis in range(x.ndim) if axis != _channel_axis(x)]:
        return False
    raise NotTraceable(f"statistics over the axes {tuple(axes)} of {x.ndim}")
