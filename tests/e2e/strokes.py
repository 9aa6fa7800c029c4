"""A picture of a digit as the strokes of a pen, and strokes as a drawing: what a person would do on the pad."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Stroke = NDArray[np.float64]  # (P, 2), x and y

SIDE = 112  # of a drawing, as the page sends it
_FINE = 4  # a picture is made so many times larger before it is thinned, a drawing before it is made smooth
_INK = 160  # brighter is ink; at half of 255, about 1 training digit in 200 more loses a loop that is nearly full
_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))  # clockwise from above


def skeleton(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Lines one pixel wide where the ink was.

    Source: T. Y. Zhang, C. Y. Suen, "A fast parallel algorithm for thinning digital patterns", 1984.
    """
    thin = np.pad(ink, 1)
    while True:
        before = thin.sum()
        for side in (0, 1):
            around = np.stack([np.roll(thin, (-down, -right), (0, 1)) for down, right in _AROUND])  # (8, H, W)
            above, right, below, left = around[::2]
            count = around.sum(axis=0)  # over neighbours
            begins = (~around & np.roll(around, -1, axis=0)).sum(axis=0)  # how often paper is followed by ink
            edges = (~(above & right & below), ~(right & below & left))
            if side:
                edges = (~(above & right & left), ~(above & below & left))
            thin &= ~((count >= 2) & (count <= 6) & (begins == 1) & edges[0] & edges[1])
        if thin.sum() == before:
            return thin[1:-1, 1:-1]


def strokes_of(image: NDArray[np.uint8]) -> list[Stroke]:
    """The lines along which a pen may have drawn a picture, white on black, in the picture's pixels."""
    height, width = image.shape
    large = Image.fromarray(image).resize((width * _FINE, height * _FINE), Image.Resampling.BICUBIC)
    rows, columns = np.nonzero(skeleton(np.asarray(large) > _INK))
    left = set(zip(columns.tolist(), rows.tolist(), strict=True))
    whole = frozenset(left)
    strokes = []
    while left:
        start = min(left, key=lambda place: (len(_neighbours(place, whole)), place))  # an end, if there is one
        strokes.append(_smooth(_walk(start, left, whole)) / _FINE)
    return strokes


def _neighbours(
    place: tuple[int, int], among: set[tuple[int, int]] | frozenset[tuple[int, int]]
) -> list[tuple[int, int]]:
    x, y = place
    straight_first = sorted(_AROUND, key=lambda step: abs(step[0]) + abs(step[1]))
    return [(x + right, y + down) for down, right in straight_first if (x + right, y + down) in among]


def _walk(start: tuple[int, int], left: set[tuple[int, int]], whole: frozenset[tuple[int, int]]) -> Stroke:
    """Follow a line as far as it goes, straight on where it forks; both ends are joined to what was drawn before."""
    joined = [place for place in _neighbours(start, whole) if place not in left]
    path = [*joined[:1], start]
    left.remove(start)
    while ahead := _neighbours(path[-1], left):
        back = np.subtract(path[-1], path[max(0, len(path) - 6)])
        path.append(
            max(
                ahead,
                key=lambda place: float(back @ np.subtract(place, path[-1])) / np.hypot(*np.subtract(place, path[-1])),
            )
        )
        left.remove(path[-1])
    drawn = [place for place in _neighbours(path[-1], whole) if place not in path[-4:]]
    return np.array([*path, *drawn[:1]], np.float64)


def _smooth(stroke: Stroke, reach: int = 3) -> Stroke:
    """Means of neighbouring points, since a hand makes no stairs; the ends stay."""
    padded = np.pad(stroke, ((reach, reach), (0, 0)), mode="edge")
    smooth: Stroke = np.stack([padded[shift : shift + len(stroke)] for shift in range(2 * reach + 1)]).mean(
        axis=0
    )  # over shifts
    smooth[[0, -1]] = stroke[[0, -1]]
    return smooth


@dataclass(frozen=True)
class Hand:
    """How somebody draws, in parts of the pad's side.

    Args:
        size: of the digit's longer side.
        thickness: of the pen; MNIST's lines are about as thick as these, a thicker pen fills loops.
        offset: of the digit's box from left and top, as a part of the room that is left.
    """

    size: float
    thickness: float
    offset: tuple[float, float]

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Hand":
        across, down, size, pen = rng.uniform((0, 0, 0.4, 0.07), (1, 1, 0.85, 0.18)).tolist()
        return cls(size, pen * size, (across, down))

    def draw(self, strokes: list[Stroke]) -> NDArray[np.uint8]:
        """The drawing, SIDE × SIDE, white on black, with round ends and joints."""
        points = np.concatenate(strokes)  # (P, 2)
        corner, extent = points.min(axis=0), np.ptp(points, axis=0)
        scale = (self.size - self.thickness) / extent.max()
        room = 1 - self.thickness - scale * extent
        place = self.thickness / 2 + room * np.array(self.offset)
        canvas = Image.new("L", (SIDE * _FINE, SIDE * _FINE))
        pen = ImageDraw.Draw(canvas)
        radius = self.thickness * SIDE * _FINE / 2
        for stroke in strokes:
            path = [(float(x), float(y)) for x, y in (place + scale * (stroke - corner)) * SIDE * _FINE]
            pen.line(path, fill=255, width=round(2 * radius))
            for x, y in path:
                pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        return np.asarray(canvas.reduce(_FINE))
