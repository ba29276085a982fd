"""Connected parts of small labels as SciPy finds them, for test/dataset/prepare/label-parts.test.ts.

Made with SciPy 1.17 and NumPy 2.4; `python make_part_references.py` writes label-parts.json anew. A part is told by its class, its
number of voxels and its first voxel [x, y, z] in the order of the file (x fastest). Neighbours touch by faces, edges or corners.
"""

import base64
import json
from pathlib import Path

import numpy as np
from scipy import ndimage

HERE = Path(__file__).parent
TOUCHING = np.ones((3, 3, 3))


def parts(label):
    found = []
    for value in np.unique(label[label > 0]):
        numbered, count = ndimage.label(label == value, structure=TOUCHING)
        order = numbered.ravel(order="F")
        for part in range(1, count + 1):
            first = int(np.argmax(order == part))
            voxel = [int(n) for n in np.unravel_index(first, label.shape, order="F")]
            found.append([int(value), int((numbered == part).sum()), voxel])
    return sorted(found)


def labels():
    rng = np.random.default_rng(7)
    for name, size, share, classes in [
        ("specks", (13, 11, 9), 0.04, 1),
        ("dense specks of two classes", (12, 9, 10), 0.3, 2),
        ("three classes and no background", (9, 8, 7), 1.0, 3),
        ("one slice", (17, 15, 1), 0.3, 2),
        ("one row", (40, 1, 1), 0.6, 2),
        ("one column of slices", (1, 1, 31), 0.6, 2),
    ]:
        values = rng.integers(1, classes + 1, size)
        yield name, np.where(rng.random(size) < share, values, 0).astype(np.uint8)
    blobs = ndimage.gaussian_filter(rng.normal(size=(24, 22, 20)), 1.5)
    yield "blobs of two classes", (np.digitize(blobs, [0.02, 0.06])).astype(np.uint8)
    spiral = np.zeros((15, 15, 12), np.uint8)
    for step in range(400):
        angle, z = step * 0.1, step * 11 // 399
        spiral[int(7 + 6 * np.cos(angle)), int(7 + 6 * np.sin(angle)), z] = 1
    yield "a spiral through the slices", spiral
    comb = np.zeros((12, 10, 8), np.uint8)
    comb[::2, :, :4] = 1
    comb[:, 9, 3] = 1
    comb[1::2, :5, 5:] = 2
    yield "teeth that join in a later slice", comb
    yield "nothing", np.zeros((6, 5, 4), np.uint8)
    yield "everything", np.ones((6, 5, 4), np.uint8)


if __name__ == "__main__":
    cases = [
        {
            "name": name,
            "size": list(label.shape),
            "label": base64.b64encode(label.ravel(order="F").tobytes()).decode(),
            "parts": parts(label),
        }
        for name, label in labels()
    ]
    (HERE / "label-parts.json").write_text(json.dumps({"cases": cases}) + "\n")
