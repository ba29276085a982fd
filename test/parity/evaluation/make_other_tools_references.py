"""References for test/evaluation/evaluate-folders.test.ts: a label, and predictions of it as other tools write them.

Made with Python 3.11, MONAI 1.6.1 and nibabel 5.4.2; `python make_other_tools_references.py` writes the folder other-tools anew.

labels/       one label a prediction of the same name, on an LPS grid of 12x10x9 voxels of 1 x 1.05 x 2 mm, uint8
same-space/   the predictions on the same voxels: by MONAI's SaveImage as float32 after Orientationd("RAS"), by nibabel as int64 with two axes
              flipped, as float64 with axes permuted, and as int16 with a slope
other-grid/   one on another grid, which covers the same part of the body
expected.json Dice of each on the arrays before they were written, and of the one on another grid after nibabel took the nearest voxels
"""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation, SaveImage, Spacing
from nibabel.processing import resample_from_to

HERE = Path(__file__).parent / "other-tools"
SIZE, SPACING = (12, 10, 9), (1.0, 1.05, 2.0)
AFFINE = np.array([[-1.0, 0, 0, 30], [0, -1.05, 0, 20], [0, 0, 2, -10], [0, 0, 0, 1]])


def ellipsoid(centre, radii):
    axes = np.ogrid[tuple(slice(n) for n in SIZE)]
    return sum(((axis - c) / r) ** 2 for axis, c, r in zip(axes, centre, radii)) <= 1


def labels(shift):
    """A liver with a tumour, neither symmetric in the volume, so that a wrong flip or order of axes is seen."""
    found = ellipsoid((4 + shift, 4, 3), (4, 3, 3)).astype(np.uint8)
    found[ellipsoid((3 + shift, 3, 3), (1.5, 1.2, 1))] = 2
    return found


def dice(prediction, reference):
    scores = {}
    for name, value in (("liver", 1), ("tumour", 2)):
        a, b = prediction == value, reference == value
        scores[name] = float(2 * (a & b).sum() / (a.sum() + b.sum()))
    return scores


def save(image, folder, name):
    nib.save(image, HERE / folder / f"{name}.nii.gz")


def reoriented(image, axes):
    now = nib.orientations.io_orientation(image.affine)
    return image.as_reoriented(nib.orientations.ornt_transform(now, nib.orientations.axcodes2ornt(axes)))


def save_by_monai(tensor, folder, name):
    writer = SaveImage(output_dir=HERE / folder, output_ext=".nii.gz", output_dtype=np.float32, resample=False, separate_folder=False, print_log=False)
    writer(tensor, filename=str(HERE / folder / name))


shutil.rmtree(HERE, ignore_errors=True)
for folder in ("labels/same-space", "labels/other-grid", "same-space", "other-grid"):
    (HERE / folder).mkdir(parents=True)
reference, prediction = labels(0), labels(1)
image = nib.Nifti1Image(prediction, AFFINE)
tensor = MetaTensor(torch.from_numpy(prediction)[None].float(), affine=torch.from_numpy(AFFINE))
names = ["flipped-int64", "monai-float32", "permuted-float64", "sloped-int16"]
for name in names:
    save(nib.Nifti1Image(reference, AFFINE), "labels/same-space", name)
save(nib.Nifti1Image(reference, AFFINE), "labels/other-grid", "spaced")

flipped = reoriented(image, "RAS")
save(nib.Nifti1Image(np.asarray(flipped.dataobj).astype(np.int64), flipped.affine, dtype=np.int64), "same-space", "flipped-int64")
save_by_monai(Orientation("RAS")(tensor), "same-space", "monai-float32")
permuted = reoriented(image, "SLA")
save(nib.Nifti1Image(np.asarray(permuted.dataobj).astype(np.float64), permuted.affine), "same-space", "permuted-float64")
# nibabel writes the numbers as they are given, and the slope beside them.
sloped = nib.Nifti1Image((2 * prediction).astype(np.int16), AFFINE)
sloped.header.set_slope_inter(0.5, 0)
save(sloped, "same-space", "sloped-int16")
save_by_monai(Spacing(pixdim=(1.7, 1.3, 2.0), mode="nearest")(Orientation("RAS")(tensor)), "other-grid", "spaced")
resampled = resample_from_to(nib.load(HERE / "other-grid" / "spaced.nii.gz"), (SIZE, AFFINE), order=0, mode="nearest")
expected = {"dice": {name: dice(prediction, reference) for name in names}, "resampled": dice(np.asarray(resampled.dataobj).round(), reference)}
(HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
