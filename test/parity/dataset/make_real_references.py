"""MONAI's values of the real scans, for test/dataset/real-scans.test.ts: sizes, affines and voxels drawn by a seed, none of the scans themselves.

Made with MONAI 1.6.1, torch 2.15.0, nibabel 5.4.2 and NumPy; `HYBRIDMIM_REAL_DATA=folder python make_real_references.py` writes
real-scans.json anew.
"""

import base64
import json
import os
from pathlib import Path

import monai
import numpy as np
import torch
from monai.transforms import Compose, CropForegroundd, EnsureChannelFirstd, LoadImaged, Orientationd, ScaleIntensityRanged, Spacingd

HERE = Path(__file__).parent
REAL = Path(os.environ["HYBRIDMIM_REAL_DATA"])
SAMPLES = 1000

CT = {"spacing": [1.5, 1.5, 2.0], "window": [-1000, 1000]}
ABDOMEN = {"spacing": [1.5, 1.5, 2.0], "window": [-175, 250]}
CASES = [
    ("ct_torso", None, CT),
    ("ct_torso", None, ABDOMEN),
    ("ct_abdomen", "ct_abdomen_organs", CT),
    ("ct_abdomen", "ct_abdomen_organs", ABDOMEN),
    ("ct_aorta", "ct_aorta_label", CT),
    ("mr_brain_tumour", "mr_brain_tumour_label", {"spacing": [1.0, 1.0, 1.0], "window": [0, 1000]}),
    ("mr_t1_template", None, {"spacing": [1.0, 1.0, 1.0], "window": [0, 100]}),
]


def above_window(image):
    return image > 0


def reference(number, image, label, spacing, window):
    keys = ["image"] if label is None else ["image", "label"]
    item = {key: str(REAL / f"{name}.nii.gz") for key, name in zip(keys, [image, label])}
    prepared = Compose([
        LoadImaged(keys),
        EnsureChannelFirstd(keys),
        Orientationd(keys, axcodes="RAS", labels=None),
        Spacingd(keys, pixdim=spacing, mode=("bilinear", "nearest")[: len(keys)], padding_mode="border"),
        ScaleIntensityRanged("image", *window, 0.0, 1.0, clip=True),
        CropForegroundd(keys, source_key="image", select_fn=above_window, allow_smaller=True),
    ])(item)
    values = prepared["image"][0].numpy()
    at = np.random.default_rng(number).integers(0, values.size, SAMPLES)
    flat = np.asarray(values, dtype="<f4").ravel(order="F")[at]
    result = {
        "image": image,
        "spacing": spacing,
        "window": window,
        "size": list(values.shape),
        "affine": [float(n) for n in prepared["image"].affine[:3].ravel()],
        "mean": float(values.mean(dtype=np.float64)),
        "at": base64.b64encode(at.astype("<u4").tobytes()).decode(),
        "values": base64.b64encode(flat.tobytes()).decode(),
    }
    if label is not None:
        labels = prepared["label"][0].numpy()
        result["label"] = label
        result["classes"] = [str(int(value)) for value in np.unique(labels) if value > 0]
    return result


content = {
    "versions": {"monai": monai.__version__, "torch": torch.__version__, "numpy": np.__version__},
    "cases": [reference(number, image, label, **settings) for number, (image, label, settings) in enumerate(CASES)],
}
(HERE / "real-scans.json").write_text(json.dumps(content, indent=1) + "\n")
