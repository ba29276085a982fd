"""Holds the SavedModel and the ONNX file of each network to `hybridmim predict` on the same NIfTI file.

Made for Python 3.11, tensorflow-cpu 2.21.0, tf2onnx 1.17.0, onnxruntime 1.27.0, nibabel.

  python check_exported_models.py WEIGHTS_FOLDER   with NETWORK.safetensors for each network below, as
                                                   `make_file_references.py weights WEIGHTS_FOLDER` writes them

Each model is exported for a volume of a size that is no cube, by the command line, fed with the array that nibabel gives, as
docs/weights.md says, and compared with the logits that predict wrote. Exits with 1 when one differs by more than 1e-4 of the largest logit.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
BOUND = 1e-4


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def hybridmim(*arguments):
    run("node", ROOT / "bin" / "hybridmim.mjs", *arguments)


def close(what, found, expected):
    error = float(np.abs(found - expected).max() / np.abs(expected).max())
    print(f"{what:36} logits differ by {error:.1e} of the largest", flush=True)
    return error < BOUND


def main(weights_folder):
    cases = json.loads((HERE / "cases.json").read_text())["cases"]
    fine = True
    for weights in sorted(Path(weights_folder).glob("*.safetensors")):
        key = weights.stem
        case = cases[key]
        x, y, z = case["window"]
        settings = [part for name, value in case["settings"].items() for part in ("--set", f"network.{name}={json.dumps(value)}")]
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            scan = nibabel.load(HERE / case["scan"])
            whole = np.asarray(scan.dataobj, dtype=np.float32)
            padded = np.pad(whole, [(0, max(0, n - have)) for n, have in zip((x, y, z), whole.shape)])[:x, :y, :z]
            nibabel.save(nibabel.Nifti1Image(padded, scan.affine), folder / "scan.nii.gz")
            hybridmim("predict", "--network", case["network"], "--weights", weights, "--preset", "none", "--input", folder / "scan.nii.gz", "--out", folder / "out.nii.gz",
                      "--save-logits", "--set", f"inference.window=[{x},{y},{z}]", *settings)
            hybridmim("weights", "export", "--network", case["network"], "--from", weights, "--to", folder / "saved", "--format", "saved-model", "--size", x, y, z, *settings)
            run(sys.executable, ROOT / "scripts" / "saved-model-to-onnx.py", folder / "saved", folder / "model.onnx")
            expected = np.asarray(nibabel.load(folder / "out_logits.nii.gz").dataobj, dtype=np.float32)
            images = np.asarray(nibabel.load(folder / "scan.nii.gz").dataobj, dtype=np.float32)[None, ..., None]  # [1, x, y, z, 1]
            served = tf.saved_model.load(str(folder / "saved")).signatures["serving_default"](images=tf.constant(images))["logits"].numpy()[0]
            fine = close(f"{key} SavedModel in TensorFlow", served, expected) and fine
            session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
            fine = close(f"{key} ONNX in onnxruntime", session.run(["logits"], {"images": images})[0][0], expected) and fine
            metadata = {entry.key: json.loads(entry.value) for entry in onnx.load(folder / "model.onnx").metadata_props}
            fine = metadata["axisOrder"] == "xyz" and metadata["window"] == [x, y, z] and fine
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
