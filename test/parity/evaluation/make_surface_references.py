"""References for test/evaluation/surface-parity.test.ts: 200 pairs of masks, and what MONAI and surface-distance (PyPI) measure on them.

Made with Python 3.11 and the packages whose versions `surfaces.json` names (`surface-distance` still calls two SciPy names that SciPy has since
moved and one that NumPy has since removed; they are given back below); `python make_surface_references.py` writes surfaces.json anew. Nothing is
drawn at random without a seed.

The arrays of a case: masks as bits, x fastest; numbers of one mask pair:
  dice, hd95, asd, nsd   MONAI's DiceMetric, compute_hausdorff_distance(percentile=95), compute_average_surface_distance(symmetric=True) and
                         compute_surface_dice(class_thresholds=[tolerance]), all on the spacing, in float32; null where not finite
  exact                  HD95, ASD and NSD by the same definition in float64 with SciPy, because 1e-4 mm is below float32's rounding far away
  elements               surface-distance's Dice, HD95, ASD (mean of both ways, weighted by area) and NSD, which count surface elements between
                         voxel centres by their area
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
from monai.metrics import DiceMetric, compute_average_surface_distance, compute_hausdorff_distance, compute_surface_dice
from scipy import ndimage
from scipy.ndimage import binary_erosion, distance_transform_edt, gaussian_filter

# What surface-distance 0.1 calls by names that are gone.
ndimage.filters = ndimage.morphology = ndimage
np.Inf = np.inf
import surface_distance  # noqa: E402

HERE = Path(__file__).parent
warnings.filterwarnings("ignore")


def encode(mask):
    return base64.b64encode(zlib.compress(np.packbits(mask.ravel(order="F")).tobytes(), 9)).decode()


def blob(random, size, share):
    noise = gaussian_filter(random.normal(size=size), random.uniform(0.8, 2))
    return noise > np.quantile(noise, 1 - share)


def ellipsoid(random, size):
    axes = np.ogrid[tuple(slice(n) for n in size)]
    centre, radii = [random.uniform(0, n) for n in size], [random.uniform(1, 0.6 * n + 1) for n in size]
    return sum(((axis - c) / r) ** 2 for axis, c, r in zip(axes, centre, radii)) <= 1


def box(random, size, at_border):
    mask = np.zeros(size, bool)
    low = [0 if at_border and random.random() < 0.6 else random.integers(0, n) for n in size]
    high = [n if at_border and random.random() < 0.6 else random.integers(a, n) + 1 for a, n in zip(low, size)]
    mask[tuple(slice(a, b) for a, b in zip(low, high))] = True
    return mask


def voxel(random, size):
    mask = np.zeros(size, bool)
    mask[tuple(random.integers(0, n) for n in size)] = True
    return mask


def shifted(mask, random):
    return np.roll(mask, tuple(random.integers(-2, 3, 3)), (0, 1, 2))


KINDS = {
    "blobs": lambda random, size: [blob(random, size, random.uniform(0.05, 0.6)) for _ in range(2)],
    "a blob and itself moved": lambda random, size: (lambda mask: [mask, shifted(mask, random)])(blob(random, size, 0.3)),
    "ellipsoids": lambda random, size: [ellipsoid(random, size) for _ in range(2)],
    "boxes touching the border": lambda random, size: [box(random, size, True) for _ in range(2)],
    "one voxel each": lambda random, size: [voxel(random, size) for _ in range(2)],
    "one voxel and a box": lambda random, size: [voxel(random, size), box(random, size, False)],
    "disjoint parts": lambda random, size: [voxel(random, size) | box(random, size, False) | voxel(random, size) for _ in range(2)],
    "speckle": lambda random, size: [random.random(size) < share for share in random.uniform(0.01, 0.3, 2)],
    "everything and a blob": lambda random, size: [np.ones(size, bool), blob(random, size, 0.3)],
    "an empty side": lambda random, size: [np.zeros(size, bool), ellipsoid(random, size) | voxel(random, size)][:: random.choice([-1, 1])],
    "both empty": lambda random, size: [np.zeros(size, bool), np.zeros(size, bool)],
}


def finite(value):
    return float(value) if np.isfinite(value) else None


def by_monai(prediction, reference, spacing, tolerance):
    pair = [torch.from_numpy(mask[None, None]).float() for mask in (prediction, reference)]
    settings = {"include_background": True, "spacing": spacing}
    return {
        "dice": finite(DiceMetric(include_background=True, reduction="none", ignore_empty=True)(*pair)),
        "hd95": finite(compute_hausdorff_distance(*pair, percentile=95, **settings)),
        "asd": finite(compute_average_surface_distance(*pair, symmetric=True, **settings)),
        "nsd": finite(compute_surface_dice(*pair, class_thresholds=[tolerance], **settings)),
    }


def exactly(prediction, reference, spacing, tolerance):
    if not prediction.any() or not reference.any():
        return {"hd95": None, "asd": None, "nsd": 0 if prediction.any() != reference.any() else None}
    edges = [mask & ~binary_erosion(mask) for mask in (np.pad(prediction, 1), np.pad(reference, 1))]
    ways = [distance_transform_edt(~to, sampling=spacing)[of] for of, to in (edges, edges[::-1])]
    both = np.concatenate(ways)
    return {"hd95": float(max(np.percentile(way, 95) for way in ways)), "asd": float(both.mean()), "nsd": float((both <= tolerance).mean())}


def by_elements(prediction, reference, spacing, tolerance):
    if not prediction.any() or not reference.any():
        return None
    found = surface_distance.compute_surface_distances(reference, prediction, spacing)
    return {
        "dice": float(surface_distance.compute_dice_coefficient(reference, prediction)),
        "hd95": float(surface_distance.compute_robust_hausdorff(found, 95)),
        "asd": float(np.mean(surface_distance.compute_average_surface_distance(found))),
        "nsd": float(surface_distance.compute_surface_dice_at_tolerance(found, tolerance)),
    }


def cases():
    random = np.random.default_rng(7)
    for number in range(200):
        kind = list(KINDS)[number % len(KINDS)]
        size = [int(n) for n in random.integers(1 if number % 4 == 0 else 5, 14, 3)]
        spacing = [1.0, 1.0, 1.0] if number % 5 == 0 else [round(float(mm), 3) for mm in random.uniform(0.4, 5, 3)]
        prediction, reference = KINDS[kind](random, size)
        # No whole number of voxels, so that no rounding decides on which side of the tolerance a distance lies.
        tolerance = round(float(random.uniform(0.5, 4)), 3) + 0.00037
        pair = (prediction, reference, spacing, tolerance)
        yield {
            "name": f"{kind} {number}",
            "size": size,
            "spacing": spacing,
            "toleranceMm": tolerance,
            "prediction": encode(prediction),
            "reference": encode(reference),
            "monai": by_monai(*pair),
            "exact": exactly(*pair),
            "elements": by_elements(*pair),
        }


def rounded(value):
    """Nine digits: well below every tolerance, half the file."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return float(f"{value:.9g}") if isinstance(value, float) else value


versions = {"monai": monai.__version__, "numpy": np.__version__, "scipy": scipy.__version__, "torch": torch.__version__, "surface-distance": "0.1"}
lines = ",\n".join(json.dumps(rounded(case), separators=(",", ":")) for case in cases())
(HERE / "surfaces.json").write_text(f'{{"versions":{json.dumps(versions)},"cases":[\n{lines}\n]}}\n')
