"""References from file to file: a NIfTI volume and a network's weights go in, a NIfTI label and NIfTI logits come out, all by MONAI.

Made with Python 3.11, torch 2.15.0, MONAI 1.6.1, nibabel 5.4.2 and NumPy 2.4.6.

  python make_file_references.py                writes every reference beside this script anew
  python make_file_references.py check [CASE]   runs `hybridmim predict --save-logits` on the same files, reads what it wrote with nibabel and
                                                compares every voxel; exits with 1 when one case differs by more than it may
  python make_file_references.py weights FOLDER writes NETWORK-a-1.safetensors for check_exported_models.py
  python make_file_references.py one NETWORK SETTINGS WEIGHTS SCAN LABEL WINDOW
                                                compares a label and the logits beside it with MONAI's on the same scan, WEIGHTS loaded
                                                with strict=True: of a network that was trained here and exported. NETWORK and SETTINGS as in
                                                NETWORKS below; WINDOW such as 32,48,16

Volumes are read by MONAI's `LoadImage`, brought to RAS by its `Orientation` where a case says so, predicted by its
`sliding_window_inference(mode="gaussian")`, brought back by the inverse of `Orientation`, and written by nibabel. No axis is
reversed or permuted by this script, so that a difference in what either side takes for the first axis shows.

A case has its window, settings and state dict's shapes in `cases.json`, the arg-max of every voxel in CASE-label.nii.gz and the logits of
every third voxel along each axis in CASE-logits.nii.gz. Weights are hashes of their names, as in ../network.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import monai
import nibabel
import numpy as np
import torch
from monai.data import MetaTensor
from monai.inferers import sliding_window_inference
from monai.transforms import LoadImage, Orientation
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "network"))
from make_interchange_references import network, weight  # noqa: E402
from make_network_references import image  # noqa: E402

CLASSES = 3
EVERY = 3  # voxels along each axis of which logits are kept
LOGITS_BOUND, SAME_CLASS = 1e-4, 0.9999  # of the largest logit; share of voxels
SIZES = {"a": (40, 33, 57), "b": (29, 70, 36)}
SPACING = (0.8, 1.1, 2.5)
# name: settings and window of a network for the volumes of either size
NETWORKS = {
    "unet": {
        "a": ({"features": [4, 6, 8, 10, 12, 5]}, [16, 48, 32]),
        "b": ({"features": [4, 6, 8, 10, 12, 5]}, [20, 16, 37]),
    },
    "seg-res-net": {
        "a": ({"initFilters": 8, "blocksDown": [1, 2, 2, 4], "blocksUp": [1, 1, 1], "normGroups": 8}, [16, 40, 24]),
        "b": ({"initFilters": 8, "blocksDown": [1, 2, 1], "blocksUp": [1, 2], "normGroups": 4}, [32, 16, 28]),
    },
    "unetr": {
        "a": ({"imageSize": [16, 48, 32], "featureSize": 4, "hiddenSize": 24, "mlpDim": 40, "numHeads": 3}, [16, 48, 32]),
        "b": ({"imageSize": [48, 16, 32], "featureSize": 4, "hiddenSize": 24, "mlpDim": 40, "numHeads": 3}, [48, 16, 32]),
    },
    "swin-unetr": {
        "a": ({"featureSize": 12, "depths": [2, 2, 1, 1], "numHeads": [3, 3, 6, 12], "window": [3, 5, 4]}, [64, 64, 32]),
        "b": ({"featureSize": 12, "depths": [2, 1, 2, 1], "numHeads": [3, 3, 6, 12], "window": [7, 7, 7], "version": 2}, [32, 64, 96]),
    },
}
STORED = {"flipped": ("L", "P", "S"), "permuted": ("S", "L", "A"), "oblique": ("A", "R", "I")}


def case_names():
    for name in NETWORKS:
        for size in SIZES:
            for channels in (1, 2):
                yield f"{name}-{size}-{channels}", name, size, channels, f"{size}-{channels}"
        for stored in STORED:
            yield f"{name}-{stored}", name, "a", 1, stored


def tilted(affine, degrees):
    """The affine after a rotation about an axis that is none of the scanner's."""
    axis = np.array([0.3, -0.5, 0.8]) / np.linalg.norm([0.3, -0.5, 0.8])
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    angle = np.radians(degrees)
    rotation = np.eye(4)
    rotation[:3, :3] = np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k
    return rotation @ affine


def write_volumes():
    for size, voxels in SIZES.items():
        for channels in (1, 2):
            values = 4 * image(11 + channels, 0, 1, channels, voxels)[0].numpy()  # [C, x, y, z]
            data = values[0] if channels == 1 else np.moveaxis(values, 0, -1)
            affine = np.diag([*SPACING, 1.0])
            affine[:3, 3] = [-20, 15, 40]
            save(data, affine, f"{size}-{channels}.nii.gz")
            if (size, channels) == ("a", 1):
                for stored, codes in STORED.items():
                    base = tilted(affine, 20) if stored == "oblique" else affine
                    plain = nibabel.Nifti1Image(data, base)
                    turn = nibabel.orientations.ornt_transform(nibabel.io_orientation(base), nibabel.orientations.axcodes2ornt(codes))
                    turned = plain.as_reoriented(turn)
                    save(np.asarray(turned.dataobj), turned.affine, f"{stored}.nii.gz")


def save(data, affine, name):
    file = nibabel.Nifti1Image(data.astype(np.float32), affine)
    file.header.set_data_dtype(np.uint8)  # nibabel chooses slope and intercept
    nibabel.save(file, HERE / name)


def hashed_model(name, settings, channels):
    model = network(name, settings, channels, CLASSES).eval()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            parameter.copy_(weight(parameter_name, parameter.shape))
    return model


def predicted(model, scan, window, to_ras):
    """MONAI's logits on the scan's own grid: [C, x, y, z] as the file has its axes, and the scan's affine."""
    volume = LoadImage(image_only=True, ensure_channel_first=True)(scan)
    orient = Orientation(axcodes="RAS", labels=None)
    prepared = orient(volume) if to_ras else volume
    with torch.no_grad():
        logits = sliding_window_inference(prepared[None].as_tensor(), window, 1, model, overlap=0.5, mode="gaussian", sigma_scale=0.125)[0]
    if to_ras:
        logits = orient.inverse(MetaTensor(logits, meta=prepared.meta, applied_operations=prepared.applied_operations)).as_tensor()
    return logits.numpy(), nibabel.load(scan).affine


def compared(key, found, expected):
    error = float(np.abs(found - expected).max() / np.abs(expected).max()) if found.shape == expected.shape else float("inf")
    same = float((found.argmax(0) == expected.argmax(0)).mean()) if found.shape == expected.shape else 0.0
    fine = error < LOGITS_BOUND and same >= SAME_CLASS
    print(f"{key:24} logits differ by {error:.1e} of the largest, arg-max equal in {100 * same:.4f} %{'' if fine else '   TOO FAR'}", flush=True)
    return fine


def written_logits(label):
    data = np.asarray(nibabel.load(str(label).replace(".nii.gz", "_logits.nii.gz")).dataobj, dtype=np.float32)
    return np.moveaxis(data, -1, 0)


def references():
    write_volumes()
    cases = {}
    for key, name, size, channels, scan in case_names():
        settings, window = NETWORKS[name][size]
        model = hashed_model(name, settings, channels)
        to_ras = scan in STORED
        logits, affine = predicted(model, HERE / f"{scan}.nii.gz", window, to_ras)
        nibabel.save(nibabel.Nifti1Image(logits.argmax(0).astype(np.uint8), affine), HERE / f"{key}-label.nii.gz")
        kept = np.moveaxis(logits[:, ::EVERY, ::EVERY, ::EVERY], 0, -1)
        nibabel.save(nibabel.Nifti1Image(kept, affine @ np.diag([EVERY, EVERY, EVERY, 1])), HERE / f"{key}-logits.nii.gz")
        cases[key] = {"network": name, "settings": settings, "window": window, "channels": channels, "scan": f"{scan}.nii.gz", "toRas": to_ras}
        cases[key] |= {"largestLogit": float(np.abs(logits).max()), "state": {n: list(v.shape) for n, v in model.state_dict().items()}}
        print(key, logits.shape, "largest", cases[key]["largestLogit"], flush=True)
    versions = {"torch": torch.__version__, "monai": monai.__version__, "nibabel": nibabel.__version__}
    (HERE / "cases.json").write_text(json.dumps({"classes": CLASSES, "every": EVERY, "versions": versions, "cases": cases}) + "\n")


def check(only=None):
    fine = True
    for key, name, size, channels, scan in case_names():
        if only not in (None, key):
            continue
        settings, window = NETWORKS[name][size]
        model = hashed_model(name, settings, channels)
        with tempfile.TemporaryDirectory() as folder:
            weights, label, preset = Path(folder) / "w.safetensors", Path(folder) / "out.nii.gz", Path(folder) / "preset.json"
            save_file(model.state_dict(), weights)
            preset.write_text(json.dumps({"orientation": "RAS" if scan in STORED else "as stored"}))
            command = ["node", str(HERE.parents[2] / "bin" / "hybridmim.mjs"), "predict", "--network", name, "--weights", str(weights)]
            command += ["--preset", str(preset) if scan in STORED else "none", "--input", str(HERE / f"{scan}.nii.gz"), "--out", str(label), "--save-logits"]
            for setting, value in [*((f"network.{k}", v) for k, v in settings.items()), ("inference.window", window)]:
                command += ["--set", f"{setting}={json.dumps(value)}"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            expected, _ = predicted(model, HERE / f"{scan}.nii.gz", window, scan in STORED)
            fine = compared(key, written_logits(label), expected) and fine
    sys.exit(0 if fine else 1)


def weights(folder):
    """One file of weights for each network, for check_exported_models.py."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in NETWORKS:
        save_file(hashed_model(name, NETWORKS[name]["a"][0], 1).state_dict(), Path(folder) / f"{name}-a-1.safetensors")


def one(name, settings, weights, scan, label, window):
    state = load_file(weights)
    first = next(v for k, v in state.items() if k.endswith(("patch_embed.proj.weight", "convInit.conv.weight", "encoder1.layer.conv1.conv.weight", "conv_0.conv_0.conv.weight")))
    last = next(v for k, v in state.items() if k.endswith(("out.conv.conv.weight", "conv_final.2.conv.weight", "final_conv.weight")))
    model = network(name, json.loads(settings), first.shape[1], last.shape[0]).eval()
    print(model.load_state_dict(state, strict=True))
    expected, _ = predicted(model, scan, [int(n) for n in window.split(",")], False)
    sys.exit(0 if compared(name, written_logits(label), expected) else 1)


if __name__ == "__main__":
    {"check": check, "one": one, "weights": weights}[sys.argv[1]](*sys.argv[2:]) if sys.argv[1:] else references()
