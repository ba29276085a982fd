"""Labels and predictions in files, for test/evaluation/file-parity.test.ts: anisotropic voxels of 0.4 x 0.7 x 5 mm in permuted, flipped and
oblique headers, with Dice, HD95, ASD and NSD as MONAI computes them with the spacing in voxel order; and a thick-sliced scan of
0.3 x 0.3 x 12 mm, and one of a single slice, at 1 mm as MONAI's Spacing makes them.

Made with Python 3.11 and the versions in `files.json`; `python make_file_references.py` makes all anew. Each prediction is there as the
label is stored, in another orientation and type of number, and as NIfTI-2 of four axes with a header extension.
"""

import json
from pathlib import Path

import monai
import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from monai.metrics import compute_average_surface_distance, compute_dice, compute_hausdorff_distance, compute_surface_dice
from monai.transforms import Spacing
from scipy import ndimage

OUT = Path(__file__).parent / "files"


def rotation(x, y, z):
    cx, sx, cy, sy, cz, sz = np.cos(x), np.sin(x), np.cos(y), np.sin(y), np.cos(z), np.sin(z)
    return np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]]) @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]]) @ np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])


def affine(matrix, origin=(9, 8, 7)):
    whole = np.eye(4)
    whole[:3, :3], whole[:3, 3] = matrix, origin
    return whole


MM = np.diag([0.4, 0.7, 5])
AFFINES = {
    "plain": affine(MM),
    "permuted": affine(np.array([[0, 0, 1], [-1, 0, 0], [0, 1, 0]]) @ MM),
    "oblique": affine(rotation(0.3, -0.2, 0.5) @ MM),
    "flipped": affine(np.diag([-1, -1, 1]) @ MM),
}


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.header.set_xyzt_units(2)
    nib.save(image, path)


def scores(prediction, label, spacing):
    pair = [torch.tensor(np.stack([1 - a, a])[None].astype(np.float32)) for a in (prediction, label)]
    options = {"include_background": False, "spacing": [spacing]}
    found = {
        "dice": compute_dice(*pair, include_background=False),
        "hd95": compute_hausdorff_distance(*pair, percentile=95, **options),
        "asd": compute_average_surface_distance(*pair, symmetric=True, **options),
        "nsd1mm": compute_surface_dice(*pair, [1.0], **options),
    }
    return {name: float(value) for name, value in found.items()}


def main():
    r = np.random.default_rng(7)
    cases = {}
    for name, at in AFFINES.items():
        noise = ndimage.gaussian_filter(r.normal(size=(24, 20, 8)), (4, 3, 1.5))
        label = (noise > 0.02).astype(np.uint8)
        prediction = (ndimage.gaussian_filter(r.normal(size=label.shape), 2) * 1.5 + ndimage.gaussian_filter(label.astype(float), 1) > 0.55).astype(np.uint8)
        save(OUT / "labels" / f"{name}.nii.gz", nib.Nifti1Image(label, at))
        stored = nib.Nifti1Image(prediction, at)
        save(OUT / "same" / f"{name}.nii.gz", stored)
        turn = nib.orientations.ornt_transform(nib.orientations.io_orientation(at), nib.orientations.axcodes2ornt("PIR"))
        other = stored.as_reoriented(turn)
        kind = {"plain": np.int64, "permuted": np.float64, "oblique": np.int32, "flipped": np.uint64}[name]
        save(OUT / "reoriented" / f"{name}.nii.gz", nib.Nifti1Image(np.asarray(other.dataobj).astype(kind), other.affine, dtype=kind))
        four = nib.Nifti2Image(prediction[..., None], at)
        four.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"of a test " * 100))
        save(OUT / "nifti2" / f"{name}.nii", four)
        cases[name] = scores(prediction, label, np.linalg.norm(at[:3, :3], axis=0).tolist())
    scans = {}
    for name, shape, mm in (("thick", (24, 20, 4), (0.3, 0.3, 12)), ("single", (20, 18, 1), (0.5, 0.5, 8))):
        values = ndimage.gaussian_filter(r.normal(size=shape) * 900, 1).astype(np.int16)
        at = affine(np.diag(mm))
        save(OUT / f"{name}.nii.gz", nib.Nifti1Image(values, at))
        made = Spacing((1, 1, 1), mode="bilinear", padding_mode="border")(MetaTensor(torch.tensor(values[None].astype(np.float32)), affine=torch.tensor(at)))
        scans[name] = {"size": list(made.shape[1:]), "values": [float(f"{v:.6g}") for v in made.numpy()[0].ravel(order="F")]}
    versions = {"monai": monai.__version__, "nibabel": nib.__version__, "torch": torch.__version__}
    text = json.dumps({"versions": versions, "cases": cases, "scans": scans})
    (OUT.parent / "files.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
