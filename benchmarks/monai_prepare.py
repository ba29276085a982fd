"""The MONAI side of prepare.mjs: prepares the scans it is given, or reads crops of one. Prints one line of JSON."""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from monai.data import PersistentDataset
from monai.transforms import (
    Compose,
    CropForegroundd,
    EnsureChannelFirstd,
    LoadImaged,
    Orientationd,
    RandSpatialCropd,
    ScaleIntensityRanged,
    Spacingd,
)


def peak_bytes() -> int:
    """The kernel's own peak of this process."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def above_window(image):
    return image > 0


def prepare(items: list[dict], window: list[float]) -> dict:
    keys = ["image", "label"]
    pipeline = Compose([
        LoadImaged(keys),
        EnsureChannelFirstd(keys),
        Orientationd(keys, axcodes="RAS", labels=None),
        Spacingd(keys, pixdim=(1.5, 1.5, 2.0), mode=("bilinear", "nearest")),
        ScaleIntensityRanged("image", window[0], window[1], 0.0, 1.0, clip=True),
        CropForegroundd(keys, source_key="image", select_fn=above_window, allow_smaller=True),
    ])
    seconds = []
    for item in items:
        start = time.perf_counter()
        pipeline(item)
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds}


def crops(image: str, cache: str, side: int, count: int) -> dict:
    transforms = [LoadImaged("image"), EnsureChannelFirstd("image"), RandSpatialCropd("image", (side,) * 3, random_size=False)]
    dataset = PersistentDataset([{"image": image}], Compose(transforms), cache_dir=cache)
    dataset[0]  # writes the cache
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        crop = dataset[0]["image"]
        seconds.append(time.perf_counter() - start)
        assert crop.shape == (1, side, side, side)
    return {"seconds": seconds}


parser = argparse.ArgumentParser()
parser.add_argument("task", choices=["prepare", "crops"])
parser.add_argument("options", type=json.loads)
arguments = parser.parse_args()
before = peak_bytes()
cpu_before = time.process_time()
result = {"prepare": prepare, "crops": crops}[arguments.task](**arguments.options)
versions = {"torch": torch.__version__, "numpy": np.__version__}
result["cpuSeconds"] = time.process_time() - cpu_before
print(json.dumps({**result, "peakBytes": peak_bytes(), "growthBytes": peak_bytes() - before, "versions": versions}))
