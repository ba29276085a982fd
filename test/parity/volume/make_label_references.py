"""Labels with the ids of brain atlases, for test/dataset/large-labels.test.ts: files in `labels/`, what nibabel or SimpleITK
reads from each in `labels.json`.

Made with Python 3.11 and nibabel, SimpleITK and NumPy as `labels.json` names them; `python make_label_references.py` writes
every file anew, the same bytes each time. 4464 is 70000 modulo 65536; 182305689 and 182305690 are one number in float32.
"""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk

HERE = Path(__file__).parent
OUT = HERE / "labels"
SIZE = (6, 5, 4)
IDS = [0, 4464, 70000, 16777217, 182305689, 182305690, 312782574]
AFFINE = np.diag([1.0, 1.5, 2.0, 1.0])


def label(ids, dtype):
    x, y, z = np.meshgrid(*[np.arange(n) for n in SIZE], indexing="ij")
    return np.array(ids)[(x + 2 * y + 3 * z) % len(ids)].astype(dtype)


def write(name, ids, dtype):
    path = OUT / name
    values = label(ids, dtype)
    if name.endswith(".nii.gz"):
        nib.save(nib.Nifti1Image(values, AFFINE, dtype=values.dtype), path)
        read = np.asarray(nib.load(path).dataobj)
    else:
        image = sitk.GetImageFromArray(values.transpose())
        image.SetSpacing([1.0, 1.5, 2.0])
        image.SetDirection([-1, 0, 0, 0, -1, 0, 0, 0, 1])  # SimpleITK's world is LPS
        sitk.WriteImage(image, str(path), True)
        read = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).transpose()
    return [int(n) for n in read.ravel(order="F")]


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    found = {}
    for dtype in ("int32", "uint32", "int64", "uint64", "float64"):
        for ending in ("nii.gz", "mha", "nrrd"):
            found[f"{dtype}.{ending}"] = write(f"{dtype}.{ending}", IDS, dtype)
    for ending in ("nii.gz", "mha", "nrrd"):
        found[f"float32.{ending}"] = write(f"float32.{ending}", IDS[:3], "float32")
        found[f"float32-rounded.{ending}"] = write(f"float32-rounded.{ending}", IDS, "float32")
    versions = {"nibabel": nib.__version__, "SimpleITK": sitk.Version.VersionString(), "numpy": np.__version__}
    lines = ",\n".join(f'  "{name}": {json.dumps(values)}' for name, values in found.items())
    (HERE / "labels.json").write_text(
        f'{{\n"versions": {json.dumps(versions)},\n"ids": {json.dumps(IDS)},\n"references": {{\n{lines}\n}}}}\n'
    )


main()
