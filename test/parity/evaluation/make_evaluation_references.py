"""References for test/evaluation: pairs of label volumes, and the Dice and HD95 that MONAI and SciPy give them.

Made with Python 3.11 and the packages whose versions `metrics.json` names; `python make_evaluation_references.py` writes
metrics.json and distances.json anew. Nothing is drawn at random without a seed.

Which reference answers for what:
  dice         MONAI's DiceMetric, a class against its complement; NaN (null) where the reference is empty
  hd95         MONAI's compute_hausdorff_distance(percentile=95, spacing=...), which computes in float32; null where it is not finite
  hd95Exact    the same definition in float64: SciPy's binary_erosion, distance_transform_edt(sampling=...) and NumPy's percentile
  distances    SciPy's distance_transform_edt(sampling=...) to a set of voxels, float64
"""

import base64
import json
import warnings
import zlib
from pathlib import Path

import monai
import numpy as np
import scipy
import torch
from monai.metrics import DiceMetric, compute_hausdorff_distance
from scipy.ndimage import binary_erosion, distance_transform_edt, gaussian_filter

HERE = Path(__file__).parent
BRATS = {"WT": [1, 2, 4], "TC": [1, 4], "ET": [4]}
warnings.filterwarnings("ignore", module="monai")


def encode(values, dtype):
    """Little-endian, x fastest, deflated, base64."""
    return base64.b64encode(zlib.compress(np.asarray(values, dtype).tobytes(order="F"), 9)).decode()


def grid(size):
    return np.meshgrid(*[np.arange(n) for n in size], indexing="ij")


def ellipsoid(size, centre, radii):
    return sum(((axis - c) / r) ** 2 for axis, c, r in zip(grid(size), centre, radii)) <= 1


def box(size, start, stop):
    mask = np.zeros(size, bool)
    mask[tuple(slice(a, b) for a, b in zip(start, stop))] = True
    return mask


def voxels(size, *places):
    mask = np.zeros(size, bool)
    for place in places:
        mask[place] = True
    return mask


def blobs(size, seed, classes, sigma=1.2):
    """Smooth noise cut at its quantiles into `classes` labels and background."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=size), sigma)
    return np.digitize(noise, np.quantile(noise, np.linspace(0.5, 1, classes + 1)[:-1])).astype(np.uint8)


def speckled(labels, seed, share):
    """Some voxels set to another label at random: outliers, so that the 95th percentile is not the maximum."""
    random = np.random.default_rng(seed)
    return np.where(random.random(labels.shape) < share, random.integers(0, labels.max() + 1, labels.shape), labels).astype(np.uint8)


def cases():
    nothing = np.zeros((6, 7, 5), bool)
    ball = ellipsoid((6, 7, 5), (2, 3, 2), (2, 2, 2))
    yield "ellipsoids", (1, 1, 1), ellipsoid((17, 15, 13), (8, 7, 6), (5, 4, 4)), ellipsoid((17, 15, 13), (9, 7, 5), (5, 5, 4))
    yield "anisotropic spacing", (0.78, 0.78, 6.5), ellipsoid((19, 17, 9), (9, 8, 4), (7, 5, 3)), ellipsoid((19, 17, 9), (7, 9, 5), (6, 6, 3))
    yield "anisotropic along x", (5, 0.7, 1.3), ellipsoid((9, 17, 13), (4, 8, 6), (3, 7, 5)), ellipsoid((9, 17, 13), (5, 6, 6), (3, 6, 4))
    yield "touching the edges of the volume", (1.5, 1, 2), box((9, 8, 7), (0, 0, 0), (4, 8, 3)), box((9, 8, 7), (5, 2, 0), (9, 8, 7))
    yield "prediction everywhere", (1, 2, 3), np.ones((7, 6, 5), bool), box((7, 6, 5), (2, 2, 2), (5, 4, 4))
    yield "both everywhere", (1, 2, 3), np.ones((7, 6, 5), bool), np.ones((7, 6, 5), bool)
    yield "single voxels", (1.1, 0.9, 2.5), voxels((9, 8, 7), (0, 0, 0)), voxels((9, 8, 7), (8, 7, 6))
    yield "single voxels, one apart", (0.7, 1.2, 3), voxels((5, 4, 3), (2, 2, 1)), voxels((5, 4, 3), (2, 2, 2))
    yield "one voxel apart", (0.7, 1.2, 3), box((9, 9, 9), (2, 2, 2), (6, 6, 6)), box((9, 9, 9), (3, 2, 2), (7, 6, 6))
    yield "identical", (0.5, 1.5, 4), ball, ball
    yield "disjoint", (1, 1, 2.5), box((13, 9, 7), (0, 1, 1), (4, 5, 5)), box((13, 9, 7), (9, 4, 2), (12, 8, 6))
    yield "empty prediction", (1, 1, 2), nothing, ball
    yield "empty reference", (1, 1, 2), ball, nothing
    yield "both empty", (1, 1, 2), nothing, nothing
    yield "one slice", (1, 1.5, 5), box((11, 9, 1), (1, 1, 0), (6, 5, 1)), box((11, 9, 1), (3, 2, 0), (9, 8, 1))
    yield "a line", (2, 1, 1), box((15, 1, 1), (1, 0, 0), (5, 1, 1)), box((15, 1, 1), (3, 0, 0), (12, 1, 1))
    ball = ellipsoid((21, 15, 11), (7, 7, 5), (5, 5, 4))
    yield "an outlier far away", (1.5, 1.5, 2), ball | voxels((21, 15, 11), (20, 14, 10), (20, 0, 0)), ellipsoid((21, 15, 11), (8, 7, 5), (5, 5, 3))
    hollow = ellipsoid((13, 13, 13), (6, 6, 6), (5, 5, 5)) & ~ellipsoid((13, 13, 13), (6, 6, 6), (3, 3, 3))
    yield "a hollow prediction", (1, 1, 1.5), hollow, ellipsoid((13, 13, 13), (6, 6, 6), (5, 5, 5))


def label_cases():
    organs = {f"organ {value}": [value] for value in (1, 2, 3, 4)}
    reference = blobs((13, 11, 9), 1, 4)
    yield "four classes", (1.5, 1.5, 2), speckled(blobs((13, 11, 9), 1, 4, 1.25), 2, 0.05), reference, organs
    swapped = np.where(reference == 3, 2, reference)
    yield "a class missed and another never there", (1, 0.8, 3), swapped, np.where(reference == 4, 0, reference), organs
    tumour = np.array([0, 2, 1, 4], np.uint8)[blobs((15, 13, 11), 3, 3, 1.5)]
    yield "BraTS regions", (1, 1, 1), np.array([0, 2, 1, 4], np.uint8)[speckled(blobs((15, 13, 11), 3, 3, 2.2), 4, 0.06)], tumour, BRATS
    yield "BraTS without enhancing tumour", (1, 1, 1), tumour, np.where(tumour == 4, 1, tumour), BRATS


def exact_hd95(prediction, reference, spacing):
    if not prediction.any() or not reference.any():
        return None
    pad = [np.pad(mask, 1) for mask in (prediction, reference)]
    a, b = [mask & ~binary_erosion(mask) for mask in pad]
    directed = [np.percentile(distance_transform_edt(~to, sampling=spacing)[of], 95) for of, to in ((a, b), (b, a))]
    return float(max(directed))


def scores(prediction, reference, spacing):
    tensors = [torch.from_numpy(np.stack([~mask, mask])[None]).float() for mask in (prediction, reference)]
    dice = DiceMetric(include_background=True, reduction="none", ignore_empty=True)(*tensors)[0, 1].item()
    hd95 = compute_hausdorff_distance(*tensors, include_background=False, percentile=95, spacing=[float(mm) for mm in spacing])[0, 0].item()
    return {
        "dice": None if np.isnan(dice) else dice,
        "hd95": hd95 if np.isfinite(hd95) else None,
        "hd95Exact": exact_hd95(prediction, reference, spacing),
    }


def record(name, spacing, prediction, reference, classes):
    masks = {label: [np.isin(volume, values) for volume in (prediction, reference)] for label, values in classes.items()}
    return {
        "name": name,
        "size": list(prediction.shape),
        "spacing": list(spacing),
        "classes": [{"name": label, "values": values} for label, values in classes.items()],
        "prediction": encode(prediction, "u1"),
        "reference": encode(reference, "u1"),
        "scores": {label: scores(*pair, spacing) for label, pair in masks.items()},
    }


def distances(name, size, spacing, seeds):
    found = distance_transform_edt(~seeds, sampling=spacing)
    return {"name": name, "size": size, "spacing": spacing, "seeds": encode(seeds, "u1"), "distances": encode(found, "<f8")}


def write_json(name, content):
    versions = {"monai": monai.__version__, "numpy": np.__version__, "scipy": scipy.__version__, "torch": torch.__version__}
    (HERE / name).write_text(json.dumps({"versions": versions, "cases": content}, indent=1) + "\n")


binary = [record(name, spacing, a.astype(np.uint8), b.astype(np.uint8), {"class": [1]}) for name, spacing, a, b in cases()]
write_json("metrics.json", binary + [record(*case) for case in label_cases()])
scattered = np.random.default_rng(5).random((11, 9, 7)) < 0.02
write_json(
    "distances.json",
    [
        distances("one corner", (6, 5, 4), (1, 1, 1), voxels((6, 5, 4), (0, 0, 0))),
        distances("two voxels", (7, 5, 6), (0.5, 3, 1.7), voxels((7, 5, 6), (0, 4, 1), (6, 2, 5))),
        distances("scattered voxels", (11, 9, 7), (0.78, 0.78, 6.5), scattered),
        distances("a surface", (9, 8, 7), (2, 1, 0.4), box((9, 8, 7), (2, 2, 2), (7, 6, 5)) & ~box((9, 8, 7), (3, 3, 3), (6, 5, 4))),
    ],
)
