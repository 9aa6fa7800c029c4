"""Damage: bytes changed as disks, networks, editors and attackers change them."""

from collections.abc import Callable

import numpy as np

#: What breaks parsers that count, when it stands where a number is expected.
_TEXTS = (
    b"0", b"-1", b"1e999", b"-1e999", b"nan", b"inf", b"99999999999999999999", b"2147483648", b"null", b"true", b'""',
    b"[]", b"{}", b"[[[[", b'"\\ud800"', b"\xff\xfe", b"\x00", b"'''", b"0.0000001", b"..", b"/", b"%s", b"\n",
)  # fmt: skip
_NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)

Mutation = Callable[[bytearray, np.random.Generator], None]


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """A copy with one to six kinds of damage."""
    damaged = bytearray(content)
    for _ in range(int(rng.integers(1, 7))):
        MUTATIONS[int(rng.integers(len(MUTATIONS)))](damaged, rng)
    return bytes(damaged)


def _span(content: bytearray, rng: np.random.Generator, longest: int = 64) -> tuple[int, int]:
    """Beginning and end of a part; beginnings of files, where headers are, come up more often."""
    reach = len(content) if rng.random() < 0.5 else min(len(content), 64)
    begin = int(rng.integers(reach + 1))
    return begin, min(len(content), begin + int(rng.integers(longest + 1)))


def _flip_a_bit(content: bytearray, rng: np.random.Generator) -> None:
    begin, _ = _span(content, rng)
    if begin < len(content):
        content[begin] ^= 1 << int(rng.integers(8))


def _delete(content: bytearray, rng: np.random.Generator) -> None:
    begin, end = _span(content, rng)
    del content[begin:end]


def _repeat(content: bytearray, rng: np.random.Generator) -> None:
    begin, end = _span(content, rng)
    content[begin:begin] = content[begin:end] * int(rng.integers(1, 20))


def _insert_noise(content: bytearray, rng: np.random.Generator) -> None:
    begin, end = _span(content, rng, 16)
    content[begin:begin] = rng.bytes(end - begin)


def _insert_a_text(content: bytearray, rng: np.random.Generator) -> None:
    begin, end = _span(content, rng, 4)
    content[begin : end if rng.random() < 0.5 else begin] = _TEXTS[int(rng.integers(len(_TEXTS)))]


def _write_a_number(content: bytearray, rng: np.random.Generator) -> None:
    begin, _ = _span(content, rng)
    width = int(rng.choice([1, 2, 4, 8]))
    number = _NUMBERS[int(rng.integers(len(_NUMBERS)))] % 256**width
    content[begin : begin + width] = number.to_bytes(width, "big" if rng.random() < 0.5 else "little")


def _change_a_digit(content: bytearray, rng: np.random.Generator) -> None:
    digits = [i for i, byte in enumerate(content[:20_000]) if 48 <= byte < 58]
    if digits:
        place = digits[int(rng.integers(len(digits)))]
        content[place : place + 1] = b"%d" % rng.integers(10 ** int(rng.integers(1, 9)))


def _cut(content: bytearray, rng: np.random.Generator) -> None:
    del content[int(rng.integers(len(content) + 1)) :]


def _exchange(content: bytearray, rng: np.random.Generator) -> None:
    (a, b), (c, d) = sorted([_span(content, rng), _span(content, rng)])
    if b <= c:
        content[a:d] = content[c:d] + content[b:c] + content[a:b]


MUTATIONS: tuple[Mutation, ...] = (
    _flip_a_bit, _delete, _repeat, _insert_noise, _insert_a_text, _write_a_number, _change_a_digit, _cut, _exchange,
)  # fmt: skip
