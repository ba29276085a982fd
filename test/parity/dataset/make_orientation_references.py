"""One label in all 48 orientations, as nibabel writes them, with the image that it belongs to.

Made with Python 3.11, nibabel 5.4.2 and NumPy 2.4.6; `python make_orientation_references.py` writes the folder orientations anew.
The image holds 100 times the label, on a grid that is turned by about 40 degrees about two axes, where the axis that a voxel
axis runs along most is nearly a tie.
"""

from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np

OUT = Path(__file__).parent / "orientations"
OUT.mkdir(exist_ok=True)
random = np.random.default_rng(3)
label = random.integers(0, 4, (6, 5, 4)).astype(np.uint8)
c, s = np.cos(0.7), np.sin(0.7)
turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
affine = np.eye(4)
affine[:3, :3] = turn @ np.diag([0.8, 1.1, 2.0])
affine[:3, 3] = (-20, 35, 7)


def save(name, data):
    image = nib.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, OUT / name)
    return image


save("image.nii.gz", label.astype(np.int16) * 100)
stored = save("label-00.nii.gz", label)
ways = [np.array(list(zip(axes, flips))) for axes in permutations(range(3)) for flips in product((1, -1), repeat=3)]
for i, way in enumerate(ways):
    if i > 0:
        nib.save(stored.as_reoriented(way), OUT / f"label-{i:02d}.nii.gz")
