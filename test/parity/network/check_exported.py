"""Holds weights that this project wrote to MONAI: `load_state_dict(strict=True)`, whole-volume logits, and the SavedModel.

  hybridmim weights export --network swin-unetr --from last.safetensors --to monai.safetensors [--set network.x=y]
  hybridmim predict --network swin-unetr --weights last.safetensors --preset none --save-logits --input scan.nii.gz --out label.nii.gz \\
            --set 'inference.window=[64,64,64]' [--set network.x=y]
  hybridmim weights export --network swin-unetr --from last.safetensors --to saved --format saved-model --size 64 64 64
  python check_exported.py swin-unetr '{"featureSize": 12, ...}' monai.safetensors scan.nii.gz label_logits.nii.gz 64 [saved]

Made for Python 3.11, torch 2.15.0, MONAI 1.6.1, nibabel; for the SavedModel also tensorflow-cpu 2.21.0. `--start CHANNELS CLASSES FILE`
writes MONAI's own random start of a network instead, to begin from. Exits with 1 when something differs by more than it may.
"""

import json
import sys

import nibabel
import numpy as np
import torch
from make_interchange_references import network
from monai.inferers import sliding_window_inference
from safetensors.torch import load_file, save_file


def close(what, found, expected, bound):
    error = float(np.abs(found - expected).max() / np.abs(expected).max())
    print(f"{what}: largest difference {error:.2e} of the largest value, may be {bound:.0e}")
    return error <= bound


def main(name, settings, weights, scan, logits, side, saved=None):
    settings, side = json.loads(settings), int(side)
    state = load_file(weights)
    first = next(v for k, v in state.items() if k.endswith(("patch_embed.proj.weight", "convInit.conv.weight", "encoder1.layer.conv1.conv.weight", "conv_0.conv_0.conv.weight")))
    last = next(v for k, v in state.items() if k.endswith(("out.conv.conv.weight", "conv_final.2.conv.weight", "final_conv.weight")))
    model = network(name, settings, first.shape[1], last.shape[0]).eval()
    print(model.load_state_dict(state, strict=True))
    image = np.asarray(nibabel.load(scan).dataobj, dtype=np.float32).T.copy()  # [z, y, x], as the engine has it
    with torch.no_grad():
        expected = sliding_window_inference(torch.from_numpy(image)[None, None], (side,) * 3, 1, model, overlap=0.5, mode="gaussian")[0].numpy()
    found = np.asarray(nibabel.load(logits).dataobj, dtype=np.float32).T  # [classes, z, y, x]
    same = float((found.argmax(0) == expected.argmax(0)).mean())
    print(f"same class in {100 * same:.4f} % of {image.size} voxels")
    fine = close("whole volume", found, expected, 1e-3) and same >= 0.999
    if saved:
        import tensorflow as tf

        crop = np.random.default_rng(0).random((1, side, side, side, 1), dtype=np.float32)
        served = tf.saved_model.load(saved).signatures["serving_default"](images=tf.constant(crop))["logits"].numpy()
        with torch.no_grad():
            direct = model(torch.from_numpy(crop).permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1).numpy()
        fine = close(f"SavedModel in TensorFlow {tf.__version__}", served, direct, 1e-4) and fine
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    if sys.argv[1] == "--start":
        torch.manual_seed(0)
        name, settings, channels, classes, file = sys.argv[2:]
        save_file(network(name, json.loads(settings), int(channels), int(classes)).state_dict(), file)
    else:
        main(*sys.argv[1:])
