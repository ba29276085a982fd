"""References for test/inference: MONAI's sliding windows over generated volumes, its Gaussian weights and its window places.

Made with Python 3.11 and the packages whose versions the files name; `python make_inference_references.py` writes
sliding-window.json, averaged.json and windows.json anew. Nothing is drawn at random.

The predictor below is no network, but it depends on where in its window a voxel lies and on the voxel's neighbours in
the window, so that a window at another place, another weight or another axis order changes the result. test/inference states
it once more in TypeScript. All numbers in the files are little-endian float32, x fastest, base64.
"""

import base64
import itertools
import json
from pathlib import Path

import monai
import numpy as np
import torch
from monai.data.utils import compute_importance_map, dense_patch_slices
from monai.inferers import sliding_window_inference
from monai.inferers.utils import _get_scan_interval

HERE = Path(__file__).parent
NETWORKS = [(0.02, 0.5), (-0.05, 0.0), (0.01, -1.0)]  # scale and offset of the predictor's logits
PLACED = [
    ([12, 8, 10], [6, 4, 5]),
    ([11, 9, 7], [6, 4, 5]),
    ([7, 6, 5], [7, 6, 3]),
    ([100, 97, 130], [96, 96, 96]),
    ([33, 40, 21], [16, 16, 16]),
]


def encode(tensor):
    """A tensor [.., D, H, W] in C order has x fastest."""
    return base64.b64encode(np.ascontiguousarray(tensor.numpy(), "<f4").tobytes()).decode()


def volume(size, channels):
    """[1, C, D, H, W] of the size [x, y, z]: small whole numbers that tell voxels and channels apart."""
    x, y, z = np.meshgrid(*[np.arange(n) for n in size], indexing="ij")
    planes = [(7 * x + 11 * y + 13 * z + 5 * c + x * y + 2 * y * z) % 17 - 8 for c in range(channels)]
    return torch.from_numpy(np.stack(planes).astype(np.float32).transpose(0, 3, 2, 1)[None].copy())


def predictor(windows):
    """Two channels: the first channel times a ramp over the window, and the last one mixed with its neighbours in the window."""
    depth, height, width = windows.shape[2:]
    z, y, x = torch.meshgrid(torch.arange(depth), torch.arange(height), torch.arange(width), indexing="ij")
    first, last = windows[:, 0], windows[:, -1]
    ramped = first * (1 + 0.5 * x - 0.25 * y + 0.125 * z) + x * y - z
    before_x, before_y, before_z = (torch.roll(last, 1, axis) for axis in (3, 2, 1))
    mixed = last + 0.5 * before_x - 2 * before_y + 3 * before_z
    return torch.stack([ramped, mixed], 1)


def sliding(name, size, window, overlap, channels=1):
    output = sliding_window_inference(
        volume(size, channels), window[::-1], 3, predictor, overlap=overlap, mode="gaussian", sigma_scale=0.125
    )
    return {"name": name, "size": size, "window": window, "overlap": overlap, "channels": channels, "output": encode(output[0])}


def mirrored(axes, predict=predictor):
    """The mean of a window's logits over all combinations of mirrored axes (of [x, y, z]), as nnU-Net averages them."""
    dimensions = {"x": 4, "y": 3, "z": 2}
    chosen = [dimensions[axis] for axis in axes]
    flips = [c for n in range(len(chosen) + 1) for c in itertools.combinations(chosen, n)]

    def mean(windows):
        return sum(torch.flip(predict(torch.flip(windows, flip)), flip) for flip in flips) / len(flips)

    return mean


def averaged(name, size, window, overlap, axes):
    """One network mirrored, and the mean probabilities of it and two others: softmax over the two channels, and sigmoid of each."""

    def logits(scale, offset):
        def predict(windows):
            return scale * predictor(windows) + offset * torch.tensor([1.0, -1.0]).reshape(1, 2, 1, 1, 1)

        return sliding_window_inference(
            volume(size, 1), window[::-1], 3, mirrored(axes, predict), overlap=overlap, mode="gaussian", sigma_scale=0.125
        )[0]

    single = logits(1, 0)
    scaled = [logits(*network) for network in NETWORKS]
    softmax = sum(torch.softmax(each.double(), 0) for each in scaled) / len(scaled)
    sigmoid = sum(torch.sigmoid(each.double()) for each in scaled) / len(scaled)
    return {
        "name": name, "size": size, "window": window, "overlap": overlap, "mirror": axes,
        "mirrored": encode(single), "softmax": encode(softmax.float()), "sigmoid": encode(sigmoid.float()),
    }


def places(size, window, overlap):
    """First voxels of the windows along x, y and z, and how many windows there are."""
    image, roi = size[::-1], window[::-1]
    interval = _get_scan_interval(image, roi, 3, [overlap] * 3)
    starts = [[int(axis.start) for axis in window_slices][::-1] for window_slices in dense_patch_slices(image, roi, interval)]
    along = [sorted(set(axis)) for axis in zip(*starts)]
    return {"size": size, "window": window, "overlap": overlap, "along": along, "count": len(starts)}


def write_json(name, content):
    versions = {"monai": monai.__version__, "numpy": np.__version__, "torch": torch.__version__}
    (HERE / name).write_text(json.dumps({"versions": versions, **content}, indent=None, separators=(",", ":")) + "\n")


write_json(
    "sliding-window.json",
    {
        "cases": [
            sliding("windows that divide the volume", [12, 8, 10], [6, 4, 5], 0.5),
            sliding("windows that do not divide the volume", [11, 9, 7], [6, 4, 5], 0.5),
            sliding("two channels", [11, 9, 7], [4, 6, 5], 0.5, 2),
            sliding("one window of the volume's own size", [7, 6, 5], [7, 6, 5], 0.5),
            sliding("a volume smaller than the window along x", [4, 9, 8], [7, 6, 5], 0.5),
            sliding("a volume smaller than the window along y and z, by odd and even numbers", [10, 3, 2], [6, 6, 6], 0.5, 2),
            sliding("a volume smaller than the window everywhere", [3, 4, 2], [6, 5, 7], 0.5),
            sliding("no overlap", [11, 9, 7], [6, 4, 5], 0),
            sliding("an overlap of a quarter", [11, 9, 7], [6, 4, 5], 0.25),
            sliding("an overlap of 0.8", [11, 9, 7], [6, 4, 5], 0.8, 2),
            sliding("an overlap of more than a window less one voxel", [7, 6, 5], [4, 3, 3], 0.9),
            sliding("windows of one voxel along z", [9, 8, 3], [4, 4, 1], 0.5),
        ]
    },
)
write_json(
    "averaged.json",
    {
        "networks": NETWORKS,
        "cases": [
            averaged("along every axis", [11, 9, 7], [6, 4, 5], 0.5, ["x", "y", "z"]),
            averaged("along two axes", [11, 9, 7], [6, 4, 5], 0.25, ["x", "z"]),
            averaged("along none", [7, 6, 9], [4, 6, 5], 0.5, []),
            averaged("with a volume smaller than the window", [3, 9, 4], [6, 5, 6], 0.5, ["y"]),
        ],
    },
)
write_json(
    "windows.json",
    {
        "importance": [
            {"window": window, "weights": encode(compute_importance_map(tuple(window[::-1]), mode="gaussian", sigma_scale=0.125))}
            for window in ([8, 8, 8], [7, 6, 5], [16, 4, 9], [3, 1, 2], [1, 1, 1], [20, 12, 2])
        ],
        "places": [
            places(size, window, overlap)
            for size, window in PLACED
            for overlap in (0, 0.25, 0.5, 0.625, 0.7, 0.9)
        ],
    },
)
