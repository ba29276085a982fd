"""Writes references for the non-linear intensity transformation of Models Genesis: the cubic Bezier curve by SciPy's Bernstein basis
(`scipy.interpolate.BPoly`) at 100,000 parameters, and `numpy.interp` between them, as its released code tabulates it.

Python 3.11, numpy and scipy of the versions that the file records.
"""
import json
import pathlib

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
