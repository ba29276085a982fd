"""Writes references for the corruptions of Models Genesis.

`bezier.json`: the cubic Bezier curve of the non-linear intensity transformation by SciPy's Bernstein basis (`scipy.interpolate.BPoly`) at
100,000 parameters, and `numpy.interp` between them, as its released code tabulates it.
`spread.json`: means and standard deviations over crops of what shuffling, in-painting and out-painting do, each written here with NumPy
slices and Python's random numbers: the share of voxels moved and how far along each axis, the shares painted over and kept.

Python 3.11, numpy and scipy of the versions that the file records.
"""
import json
import pathlib
import random

import numpy as np
import scipy
from scipy.interpolate import BPoly

rng = np.random.default_rng(20)
parameters = np.linspace(0.0, 1.0, 100_000)
values = np.concatenate([[-0.2, 0.0, 1.0, 1.3], rng.random(60)])

cases = []
corners = [((0.0, 1.0), (1.0, 0.0)), ((1.0, 0.0), (0.0, 1.0)), ((0.5, 0.5), (0.5, 0.5))]
for first, second in corners + [(tuple(rng.random(2)), tuple(rng.random(2))) for _ in range(9)]:
    x = BPoly([[0.0], [first[0]], [second[0]], [1.0]], [0, 1])(parameters)
    y = BPoly([[0.0], [first[1]], [second[1]], [1.0]], [0, 1])(parameters)
    for falling in (False, True):
        mapped = np.interp(values, np.sort(x), np.sort(y)[::-1] if falling else np.sort(y))
        cases.append({"first": first, "second": second, "falling": falling, "mapped": mapped.tolist()})

folder = pathlib.Path(__file__).parent
versions = {"numpy": np.__version__, "scipy": scipy.__version__}
(folder / "bezier.json").write_text(json.dumps({"versions": versions, "values": values.tolist(), "cases": cases}) + "\n")


# [x, y, z] of a crop with unequal sides.
SIZE = (14, 32, 45)
SHUFFLED, PAINTED = 40, 10_000
draw = random.Random(21)


def shuffled(places):
    """Ten thousand windows, each filled with its own voxels of the original in random order."""
    result = places.copy()
    for _ in range(10_000):
        sides = [draw.randint(1, n // 10) for n in SIZE]
        starts = [draw.randint(0, n - side) for n, side in zip(SIZE, sides)]
        window = tuple(slice(start, start + side) for start, side in zip(starts, sides))
        result[window] = rng.permutation(places[window].ravel()).reshape(sides)
    return result


def boxed(painted, sides):
    """Sets one box, three voxels off the border."""
    starts = [draw.randint(3, n - side - 3) for n, side in zip(SIZE, sides)]
    painted[tuple(slice(start, start + side) for start, side in zip(starts, sides))] = True


def in_painted():
    painted = np.zeros(SIZE, bool)
    left = 5
    while left > 0 and draw.random() < 0.95:
        boxed(painted, [draw.randint(n // 6, n // 3) for n in SIZE])
        left -= 1
    return painted.mean()


def out_painting_kept():
    kept = np.zeros(SIZE, bool)
    boxed(kept, [n - draw.randint(3 * n // 7, 4 * n // 7) for n in SIZE])
    left = 4
    while left > 0 and draw.random() < 0.95:
        boxed(kept, [n - draw.randint(3 * n // 7, 4 * n // 7) for n in SIZE])
        left -= 1
    return kept.mean()


def spread(values):
    return {"mean": float(np.mean(values)), "std": float(np.std(values, ddof=1)), "n": len(values)}


places = np.arange(np.prod(SIZE)).reshape(SIZE)
coordinates = np.stack(np.meshgrid(*(np.arange(n) for n in SIZE), indexing="ij"))
moved, distance = [], []
for _ in range(SHUFFLED):
    sources = np.stack(np.unravel_index(shuffled(places), SIZE))
    moved.append(np.any(sources != coordinates, axis=0).mean())
    distance.append(np.abs(sources - coordinates).reshape(3, -1).mean(axis=1))
reference = {
    "size": SIZE,
    "shuffle": {"moved": spread(moved), "distance": [spread([d[axis] for d in distance]) for axis in range(3)]},
    "inPaint": spread([in_painted() for _ in range(PAINTED)]),
    "outPaint": spread([out_painting_kept() for _ in range(PAINTED)]),
}
(folder / "spread.json").write_text(json.dumps({"versions": {"numpy": np.__version__}, **reference}, indent=1) + "\n")
