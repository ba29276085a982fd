"""Turns a SavedModel that `hybridmim weights export --format saved-model` wrote into an ONNX file.

  pip install tensorflow-cpu==2.21.0 tf2onnx==1.17.0
  python scripts/saved-model-to-onnx.py SAVED_MODEL MODEL.onnx

The model's input `images` and output `logits` are [1, x, y, z, channels], the axes of a NIfTI file. What a program needs to know of scans, the
preparation and the classes, is in the file's metadata under the keys of `assets.extra/hybridmim.json`, each value JSON.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import onnx

OPSET = 18


def main(saved_model, target):
    facts = json.loads((Path(saved_model) / "assets.extra" / "hybridmim.json").read_text())
    with tempfile.TemporaryDirectory(dir=Path(target).resolve().parent) as folder:
        converted = Path(folder) / "model.onnx"
        command = [sys.executable, "-m", "tf2onnx.convert", "--saved-model", saved_model, "--output", str(converted), "--opset", str(OPSET)]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0 or not converted.exists():
            sys.exit(f"tf2onnx could not convert {saved_model}:\n{result.stderr[-4000:]}")
        model = onnx.load(converted)
        onnx.helper.set_model_props(model, {key: json.dumps(value) for key, value in facts.items()})
        onnx.save(model, converted)
        os.replace(converted, target)
    print(f"written  {target}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
