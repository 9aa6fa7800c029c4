"""Register tiles: a few rows of numbers that a product keeps inside the processor while it adds to them.

A processor multiplies and adds fastest on vectors of neighbouring numbers ("lanes") that stay in its registers. A tile
is rows × vectors of them, as a tuple: row 0's vectors, then row 1's. With two vectors a row it is *wide*, and 2·LANES
columns are read and written whole; with one it is *narrow*, and only its first `columns` lanes touch memory.

This is the only file that emits machine operations itself. As Numba loops the same products ran at 65–72 GFLOP/s on one
core of a Xeon with AVX-512; as tiles they run at 125–181.

Addresses and strides are integers in bytes; numbers are float32. `rows` and `vectors` must be constants.
"""

import importlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import llvmlite.binding
from llvmlite import ir

from handgrad.ops.fused.native import cgutils, intrinsic, types

#: float32 numbers in one vector: 16 with AVX-512; else 8, which a processor without AVX splits in two.
LANES = 16 if llvmlite.binding.get_host_cpu_features().get("avx512f") else 8
#: Columns of a wide tile.
WIDE = 2 * LANES
#: Rows of a full tile: what is in use, rows × 2 vectors and three more, must fit 32 registers (AVX-512) or 16.
ROWS = 8 if LANES == 16 else 4

_FLOAT, _BYTES, _INDEX = ir.FloatType(), ir.IntType(64), ir.IntType(32)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_SIZE = 4 * LANES  # bytes
_SMALL = ir.VectorType(ir.IntType(8), LANES)  # as many numbers from 0 to 255


@cache
def _vector_type() -> Any:
    """The Numba type of one vector of LANES float32 numbers."""
    extending = importlib.import_module("numba.extending")

    class Vector(types.Type):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__(f"float32x{LANES}")

    @extending.register_model(Vector)
    class _VectorModel(extending.models.PrimitiveModel):  # type: ignore[name-defined]
        def __init__(self, manager: Any, numba_type: Any) -> None:
            super().__init__(manager, numba_type, _VECTOR)

    return Vector()


def _tile_type(rows: Any, vectors: Any) -> Any:
    return types.UniTuple(_vector_type(), rows.literal_value * vectors.literal_value)


@intrinsic(prefer_literal=True)
def zero_tile(typing: Any, rows: Any, vectors: Any) -> Any:
    """Zeros."""
    tile = _tile_type(rows, vectors)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return cgutils.get_null_value(context.get_value_type(tile))

    return tile(rows, vectors), emit


@intrinsic(prefer_literal=True)
def full_tile(typing: Any, rows: Any, vectors: Any, number: Any) -> Any:
    """One number everywhere."""
    tile = _tile_type(rows, vectors)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        result, spread = cgutils.get_null_value(context.get_value_type(tile)), _spread(builder, arguments[2])
        for index in range(tile.count):
            result = builder.insert_value(result, spread, index)
        return result

    return tile(rows, vectors, types.float32), emit


@intrinsic(prefer_literal=True)
def load_tile(typing: Any, rows: Any, vectors: Any, address: Any, stride: Any, columns: Any) -> Any:
    """The numbers at `address`, rows `stride` bytes apart; with stride 0 every row is the same."""
    tile = _tile_type(rows, vectors)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, _, address, stride, columns = arguments
        load = _access(builder, vectors.literal_value, columns)[0]
        result = cgutils.get_null_value(context.get_value_type(tile))
        for index, place in enumerate(_places(builder, rows, vectors, address, stride)):
            result = builder.insert_value(result, load(place), index)
        return result

    return tile(rows, vectors, address, stride, columns), emit


@intrinsic(prefer_literal=True)
def store_tile(typing: Any, tile: Any, rows: Any, vectors: Any, address: Any, stride: Any, columns: Any) -> Any:
    """Write the tile to `address`, rows `stride` bytes apart."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, _, _, address, stride, columns = arguments
        store = _access(builder, vectors.literal_value, columns)[1]
        for index, place in enumerate(_places(builder, rows, vectors, address, stride)):
            store(builder.extract_value(values, index), place)
        return context.get_dummy_value()

    return types.void(tile, rows, vectors, address, stride, columns), emit


@intrinsic(prefer_literal=True)
def load_bytes(typing: Any, vectors: Any, address: Any, columns: Any) -> Any:
    """One row of a tile from numbers 0 … 255 that take a byte each."""
    tile = types.UniTuple(_vector_type(), vectors.literal_value)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, address, columns = arguments
        load = _access(builder, tile.count, columns, _SMALL)[0]
        result = cgutils.get_null_value(context.get_value_type(tile))
        for index in range(tile.count):
            vector = builder.uitofp(load(builder.add(address, _BYTES(LANES * index))), _VECTOR)
            result = builder.insert_value(result, vector, index)
        return result

    return tile(vectors, address, columns), emit


@intrinsic(prefer_literal=True)
def store_bytes(typing: Any, tile: Any, vectors: Any, address: Any, columns: Any) -> Any:
    """Write one row of numbers 0 … 255, a byte each."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, _, address, columns = arguments
        store = _access(builder, tile.count, columns, _SMALL)[1]
        for index in range(tile.count):
            vector = builder.fptoui(builder.extract_value(values, index), _SMALL)
            store(vector, builder.add(address, _BYTES(LANES * index)))
        return context.get_dummy_value()

    return types.void(tile, vectors, address, columns), emit


@intrinsic(prefer_literal=True)
def add_product(typing: Any, tile: Any, rows: Any, vectors: Any, a: Any, a_stride: Any, b: Any, columns: Any) -> Any:
    """tile[r, c] + a[r]·b[c], rounded once; a's numbers are `a_stride` bytes apart, b's lie side by side."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, _, _, a, a_stride, b, columns = arguments
        places = [builder.add(a, builder.mul(a_stride, _BYTES(row))) for row in range(rows.literal_value)]
        return _add_rows(builder, values, places, b, vectors, columns)

    return tile(tile, rows, vectors, a, a_stride, b, columns), emit


@intrinsic(prefer_literal=True)
def add_window_product(
    typing: Any, tile: Any, taps: Any, rows: Any, vectors: Any, a: Any, a_tap: Any, b: Any, columns: Any
) -> Any:
    """The same for `taps` groups of rows, `a_tap` bytes apart; the numbers of a group lie side by side."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, _, _, _, a, a_tap, b, columns = arguments
        groups = [builder.add(a, builder.mul(a_tap, _BYTES(tap))) for tap in range(taps.literal_value)]
        places = [builder.add(group, _BYTES(4 * row)) for group in groups for row in range(rows.literal_value)]
        return _add_rows(builder, values, places, b, vectors, columns)

    return tile(tile, taps, rows, vectors, a, a_tap, b, columns), emit


@intrinsic
def scaled_sum(typing: Any, x: Any, factor: Any, y: Any) -> Any:
    """x + factor·y, element by element of two tiles, rounded once."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x_values, factor, y_values = arguments
        spread, result = _spread(builder, factor), x_values
        for index in range(x.count):
            y_vector, x_vector = builder.extract_value(y_values, index), builder.extract_value(x_values, index)
            result = builder.insert_value(result, _multiply_add(builder, spread, y_vector, x_vector), index)
        return result

    return x(x, types.float32, y), emit


@intrinsic
def where_larger(typing: Any, x: Any, y: Any, chosen: Any, others: Any) -> Any:
    """The chosen tile's elements where x > y, the others' elsewhere."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        result = arguments[3]
        for index in range(x.count):
            left, right, one, other = (builder.extract_value(values, index) for values in arguments)
            chosen = builder.select(builder.fcmp_ordered(">", left, right), one, other)
            result = builder.insert_value(result, chosen, index)
        return result

    return x(x, x, x, x), emit


@intrinsic
def where_nan(typing: Any, x: Any, others: Any) -> Any:
    """NaN where x is, the others' elements elsewhere."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        result = arguments[1]
        for index in range(x.count):
            vector, other = (builder.extract_value(values, index) for values in arguments)
            chosen = builder.select(builder.fcmp_unordered("uno", vector, vector), vector, other)
            result = builder.insert_value(result, chosen, index)
        return result

    return x(x, x), emit


@intrinsic
def where_equal(typing: Any, x: Any, y: Any, chosen: Any) -> Any:
    """The chosen tile's elements where x = y, 0 elsewhere."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        result, zeros = arguments[2], ir.Constant(_VECTOR, [0.0] * LANES)
        for index in range(x.count):
            left, right, one = (builder.extract_value(values, index) for values in arguments)
            chosen = builder.select(builder.fcmp_ordered("==", left, right), one, zeros)
            result = builder.insert_value(result, chosen, index)
        return result

    return x(x, x, x), emit


@intrinsic
def add_squares(typing: Any, tile: Any, address: Any) -> Any:
    """Add every number's square, lane by lane, to the vector at `address`."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, address = arguments
        place = builder.inttoptr(address, _VECTOR.as_pointer())
        total = builder.load(place, align=4)
        for index in range(tile.count):
            vector = builder.extract_value(values, index)
            total = _multiply_add(builder, vector, vector, total)
        builder.store(total, place, align=4)
        return context.get_dummy_value()

    return types.void(tile, address), emit


def _add_rows(builder: Any, values: Any, places: Sequence[Any], b: Any, vectors: Any, columns: Any) -> Any:
    """To each row of a tile the number at its place times the vectors at b."""
    width = vectors.literal_value
    load = _access(builder, width, columns)[0]
    b_vectors = [load(place) for place in _places(builder, 1, vectors, b, _BYTES(0))]
    for row, place in enumerate(places):
        factor = _spread(builder, builder.load(builder.inttoptr(place, _FLOAT.as_pointer()), align=4))
        for column in range(width):
            index = row * width + column
            total = _multiply_add(builder, factor, b_vectors[column], builder.extract_value(values, index))
            values = builder.insert_value(values, total, index)
    return values


def _places(builder: Any, rows: Any, vectors: Any, address: Any, stride: Any) -> Sequence[Any]:
    """The address of each vector of a tile in memory."""
    rows, vectors = getattr(rows, "literal_value", rows), vectors.literal_value
    starts = [builder.add(address, builder.mul(stride, _BYTES(row))) for row in range(rows)]
    return [builder.add(start, _BYTES(_SIZE * column)) for start in starts for column in range(vectors)]


def _access(
    builder: Any, vectors: int, columns: Any, kind: Any = _VECTOR
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """How to load and store one vector: whole in a wide tile, the first `columns` lanes in a narrow one."""
    align = 4 if kind is _VECTOR else 1

    def pointer(place: Any) -> Any:
        return builder.inttoptr(place, kind.as_pointer())

    if vectors > 1:
        return (
            lambda place: builder.load(pointer(place), align=align),
            lambda value, place: builder.store(value, pointer(place), align=align),
        )
    lanes = ir.VectorType(_BYTES, LANES)
    mask = builder.icmp_signed("<", ir.Constant(lanes, list(range(LANES))), _spread(builder, columns, lanes))
    zeros, suffix = ir.Constant(kind, [0] * LANES), f"v{LANES}{'f32' if kind is _VECTOR else 'i8'}.p0"
    load_type = ir.FunctionType(kind, [kind.as_pointer(), _INDEX, mask.type, kind])
    store_type = ir.FunctionType(ir.VoidType(), [kind, kind.as_pointer(), _INDEX, mask.type])
    load = cgutils.get_or_insert_function(builder.module, load_type, f"llvm.masked.load.{suffix}")
    store = cgutils.get_or_insert_function(builder.module, store_type, f"llvm.masked.store.{suffix}")
    return (
        lambda place: builder.call(load, [pointer(place), _INDEX(align), mask, zeros]),
        lambda value, place: builder.call(store, [value, pointer(place), _INDEX(align), mask]),
    )


def _spread(builder: Any, number: Any, kind: Any = _VECTOR) -> Any:
    """One number in every lane."""
    undefined = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(undefined, number, _INDEX(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_INDEX, LANES), [0] * LANES))


def _multiply_add(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """x·y + z with one rounding."""
    name = f"llvm.fma.v{LANES}f32"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), name)
    return builder.call(function, [x, y, z])
