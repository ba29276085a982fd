"""
What nnU-Net 2's own planner makes of fingerprints: spacings and patches of the ten tasks of the Medical
Segmentation Decathlon, of cases that are hard, and, where HYBRIDMIM_REAL_DATA names a folder of real scans, of
those.

    pip install nnunetv2==2.8.1 torch
    python test/parity/plan/make_plan_references.py [REAL_SCANS] > test/parity/plan/nnunet-plans.json

Median sizes and spacings of the tasks are about those that the supplement of the nnU-Net paper (Isensee et al.
2021) has; both planners get the same numbers, so that nothing hangs on the last digit. Cases spread around them
by a fixed rule. All lists are in the order x, y, z; nnU-Net's is z, y, x.
"""
import io
import json
import os
import sys
import tempfile
from contextlib import redirect_stdout

root = tempfile.mkdtemp()
for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
    os.environ[name] = os.path.join(root, name)
    os.makedirs(os.environ[name])

import nibabel as nib
import numpy as np
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner

# name: (size, spacing) of the median case, x y z
DECATHLON = {
    "brain-tumour": ([138, 170, 138], [1, 1, 1]),
    "heart": ([232, 320, 115], [1.25, 1.25, 1.37]),
    "liver": ([512, 512, 432], [0.77, 0.77, 1.0]),
    "hippocampus": ([35, 50, 36], [1, 1, 1]),
    "prostate": ([319, 320, 20], [0.625, 0.625, 3.6]),
    "lung": ([512, 512, 252], [0.79, 0.79, 1.24]),
    "pancreas": ([512, 512, 93], [0.8, 0.8, 2.5]),
    "hepatic-vessel": ([512, 512, 49], [0.8, 0.8, 5.0]),
    "spleen": ([512, 512, 90], [0.79, 0.79, 5.0]),
    "colon": ([512, 512, 95], [0.78, 0.78, 5.0]),
}
# What the rule of the coarse axis turns on: its spacing, its voxels, another axis, and slices finer than the rest.
HARD = {
    "coarse-but-long": ([128, 128, 120], [1, 1, 4]),
    "short-but-fine": ([300, 300, 40], [1, 1, 2]),
    "coarse-along-x": ([24, 256, 256], [6.5, 0.78, 0.78]),
    "coarse-with-thin-slices": ([512, 512, 60], [0.9, 0.9, 5.0]),
    "just-three-times": ([200, 200, 50], [1, 1, 3]),
    "tiny": ([20, 18, 9], [1, 1, 1]),
}


def spread(size, spacing, thin):
    """Eleven cases; along the coarsest axis some have slices down to `thin` times as thick, and more of them."""
    worst = int(np.argmax(spacing))
    factors = np.linspace(0.85, 1.15, 11)
    thinning = np.array([thin, thin, thin**0.5, 1, 1, 1, 1, 1, 1, 1.2, 1.4])
    sizes, spacings = [], []
    for i, factor in enumerate(factors):
        of_size, of_spacing = [], []
        for axis in range(3):
            by = thinning[i] if axis == worst and spacing[axis] > 1.5 * min(spacing) else factor
            of_spacing.append(round(float(spacing[axis] * by), 4))
            of_size.append(max(1, int(round(size[axis] / (by if axis == worst and by != factor else 1)))))
        sizes.append(of_size)
        spacings.append(of_spacing)
    return sizes, spacings


def raw_folder(number, name):
    folder = os.path.join(os.environ["nnUNet_raw"], f"Dataset{number:03d}_{name.replace('-', '')}")
    for part in ("imagesTr", "labelsTr"):
        os.makedirs(os.path.join(folder, part))
    return folder


def describe(folder, channel, cases):
    description = {"channel_names": {"0": channel}, "labels": {"background": 0, "a": 1}, "numTraining": cases, "file_ending": ".nii.gz"}
    with open(os.path.join(folder, "dataset.json"), "w") as out:
        json.dump(description, out)


def planned(folder):
    with redirect_stdout(io.StringIO()):
        planner = ExperimentPlanner(os.path.basename(folder))
        plans = planner.plan_experiment()
        full = plans["configurations"]["3d_fullres"]
        backward = plans["transpose_backward"]
    def ordered(values):
        return [float(values[i]) for i in backward][::-1]
    return {
        "spacing": ordered(full["spacing"]),
        "patch": [int(side) for side in ordered(full["patch_size"])],
        "medianSize": ordered(full["median_image_size_in_voxels"]),
        "batchSize": int(full["batch_size"]),
    }


def of_numbers(number, name, sizes, spacings):
    folder = raw_folder(number, name)
    volume = np.zeros((4, 4, 4), np.float32)
    nib.save(nib.Nifti1Image(volume, np.eye(4)), os.path.join(folder, "imagesTr", "a_0000.nii.gz"))
    nib.save(nib.Nifti1Image(volume.astype(np.uint8), np.eye(4)), os.path.join(folder, "labelsTr", "a.nii.gz"))
    describe(folder, "CT", len(sizes))
    prepared = os.path.join(os.environ["nnUNet_preprocessed"], os.path.basename(folder))
    os.makedirs(prepared)
    zeros = {key: 0.0 for key in ("max", "mean", "median", "min", "percentile_00_5", "percentile_99_5", "std")}
    fingerprint = {
        "spacings": [spacing[::-1] for spacing in spacings],
        "shapes_after_crop": [size[::-1] for size in sizes],
        "foreground_intensity_properties_per_channel": {"0": zeros},
        "median_relative_size_after_cropping": 1.0,
    }
    with open(os.path.join(prepared, "dataset_fingerprint.json"), "w") as out:
        json.dump(fingerprint, out)
    return {"name": name, "sizes": sizes, "spacings": spacings, "nnunet": planned(folder)}


def of_scans(number, name, channel, pairs):
    """nnU-Net's own fingerprint of real scans, and its plan."""
    folder = raw_folder(number, name)
    for i, (image, label) in enumerate(pairs):
        os.symlink(image, os.path.join(folder, "imagesTr", f"case{i:03d}_0000.nii.gz"))
        os.symlink(label, os.path.join(folder, "labelsTr", f"case{i:03d}.nii.gz"))
    describe(folder, channel, len(pairs))
    labels = {"background": 0, **{f"class {i}": i for i in range(1, 14)}}
    description = json.load(open(os.path.join(folder, "dataset.json")))
    with open(os.path.join(folder, "dataset.json"), "w") as out:
        json.dump({**description, "labels": labels}, out)
    os.makedirs(os.path.join(os.environ["nnUNet_preprocessed"], os.path.basename(folder)), exist_ok=True)
    with redirect_stdout(io.StringIO()):
        DatasetFingerprintExtractor(os.path.basename(folder), 1).run(overwrite_existing=True)
    prepared = os.path.join(os.environ["nnUNet_preprocessed"], os.path.basename(folder))
    fingerprint = json.load(open(os.path.join(prepared, "dataset_fingerprint.json")))
    shapes = [list(map(int, shape[::-1])) for shape in fingerprint["shapes_after_crop"]]
    spacings = [[float(mm) for mm in spacing[::-1]] for spacing in fingerprint["spacings"]]
    intensities = fingerprint["foreground_intensity_properties_per_channel"]["0"]
    kept = ("percentile_00_5", "percentile_99_5", "median", "mean", "std")
    return {
        "name": name,
        "channel": channel,
        "files": [[os.path.relpath(file, REAL) for file in pair] for pair in pairs],
        "sizes": shapes,
        "spacings": spacings,
        "foreground": {key: float(intensities[key]) for key in kept},
        "nnunet": planned(folder),
    }


if __name__ == "__main__":
    REAL = sys.argv[1] if len(sys.argv) > 1 else None
    numbers = [
        of_numbers(i + 1, name, *spread(size, spacing, 0.25 if name != "colon" else 0.6))
        for i, (name, (size, spacing)) in enumerate({**DECATHLON, **HARD}.items())
    ]
    scans = []
    if REAL:
        at = lambda *parts: os.path.join(REAL, *parts)
        task = "msd-hippocampus/Task04_Hippocampus"
        names = sorted(name for name in os.listdir(at(task, "labelsTr")) if not name.startswith("."))[::10]
        scans = [
            of_scans(101, "hippocampus-scans", "MRI", [(at(task, "imagesTr", n), at(task, "labelsTr", n)) for n in names]),
            of_scans(102, "aorta-scan", "CT", [(at("ct_aorta.nii.gz"), at("ct_aorta_label.nii.gz"))]),
            of_scans(103, "organs-scan", "CT", [(at("ct_abdomen.nii.gz"), at("ct_abdomen_organs.nii.gz"))]),
            of_scans(104, "tumour-scan", "MRI", [(at("mr_brain_tumour.nii.gz"), at("mr_brain_tumour_label.nii.gz"))]),
        ]
    lines = lambda plans: ",\n".join("  " + json.dumps(plan) for plan in plans)
    print(f'{{"nnunetv2": "2.8.1",\n "numbers": [\n{lines(numbers)}\n ],\n "scans": [\n{lines(scans)}\n ]}}')
