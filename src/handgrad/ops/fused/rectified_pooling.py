"""ReLU folded into the max pooling that follows it.

As recorded, ReLU writes images that only the pooling reads, and on the way back the pooling writes some that only ReLU
reads. But the maximum of rectified numbers is the rectified maximum, and a window without a positive number hands no
gradient on. So the pooling can start from 0 instead of −∞, and say of such a window that its maximum is nowhere. A step
of W6 on one thread took 14.9 ms without this, and takes 13.3 with it.
"""

from collections.abc import Sequence, Set
from dataclasses import replace

from handgrad.ops.fused.activations import relu, relu_dx
from handgrad.ops.fused.pooling import IN_A_BYTE, max_pool, max_pool_dx
from handgrad.ops.fused.recorder import Block, Instruction, Recorder, Value, Written

_NOWHERE = IN_A_BYTE - 1  # no place of a window that has fewer


def fuse_rectified_pooling(recorder: Recorder, results: Sequence[Value]) -> None:
    """Fold ReLU into max pooling, forward and backward, where nothing else reads what lies between the two.

    Args:
        recorder: whose instructions are rewritten.
        results: what the recorded function returns.
    """
    kept = {value.block for value in results}
    for pool in [i for i in recorder.instructions if i.kernel is max_pool]:
        replaced = _replacements(recorder.instructions, pool, kept)
        rewritten = (replaced.get(instruction, instruction) for instruction in recorder.instructions)
        recorder.instructions = [instruction for instruction in rewritten if instruction is not None]


def _replacements(
    instructions: Sequence[Instruction], pool: Instruction, kept: Set[Block]
) -> dict[Instruction, Instruction | None]:
    """By instruction, what takes its place; nothing if ReLU cannot be folded into this pooling."""
    rectified, index = pool.reads[0], pool.writes[1]
    rectifier = next((i for i in instructions if rectified in i.writes), None)
    if rectifier is None or not _is_relu(rectifier, relu) or not _leaves_room(pool):
        return {}
    x, between = rectifier.reads[0], [rectified, index]
    start = (x, *pool.arguments[1:-2], 0.0, float(_NOWHERE))
    replaced: dict[Instruction, Instruction | None] = {rectifier: None, pool: replace(pool, arguments=start)}
    for backward in _readers(instructions, index):
        between.append(backward.writes[0])
        after = _readers(instructions, between[-1])
        if backward.kernel is not max_pool_dx or len(after) != 1 or not _is_relu(after[0], relu_dx):
            return {}
        if after[0].reads != [between[-1], x]:
            return {}
        arguments = (Written(after[0].writes[0]), *backward.arguments[1:])
        replaced |= {backward: None, after[0]: replace(backward, arguments=arguments)}
    alone = _readers(instructions, rectified) == [pool] and not any(value.block in kept for value in between)
    return replaced if alone else {}


def _is_relu(instruction: Instruction, kernel: object) -> bool:
    """Whether it is ReLU itself or its gradient, not the leaky one."""
    return instruction.kernel is kernel and instruction.arguments[-1] == 0.0


def _leaves_room(pool: Instruction) -> bool:
    """Whether a byte can say "nowhere", and every window has something inside the image."""
    *_, kh, kw, _, _, ph, pw, _, _, _ = (a for a in pool.arguments if isinstance(a, int | float))
    return kh * kw <= _NOWHERE and ph < kh and pw < kw


def _readers(instructions: Sequence[Instruction], value: Value) -> list[Instruction]:
    return [i for i in instructions if any(read.block is value.block for read in i.reads)]
