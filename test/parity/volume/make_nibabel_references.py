"""Pairs, extensions and FreeSurfer volumes for test/volume/other-files.test.ts: files in `nibabel/`, what nibabel reads from them in
`nibabel.json`.

Made with Python 3.11, nibabel and NumPy as `nibabel.json` names them; `python make_nibabel_references.py` writes every file
anew.
"""

import base64
import gzip
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np

HERE = Path(__file__).parent
OUT = HERE / "nibabel"
AFFINE = np.array([[-0.78, 0.1, 0.2, 12.5], [0.11, 0.69, -0.3, -33], [0.12, 0.13, 2.4, 101.25], [0, 0, 0, 1]])


def values(dtype, channels=1, seed=0):
    shape = (5, 4, 3) if channels == 1 else (5, 4, 3, channels)
    return np.random.default_rng(seed).integers(0, 120, shape).astype(dtype)


def extended(name, image_type, sizes, end="<", seed=0):
    header = image_type.header_class(endianness=end)
    image = image_type(values(np.int16, seed=seed), AFFINE, header)
    for size in sizes:
        image.header.extensions.append(nib.nifti1.Nifti1Extension(6, b"x" * size))
    save(image, name)


def save(image, name):
    image.header.set_xyzt_units("mm")
    nib.save(image, OUT / name)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    for kind, image_type in (("1", nib.Nifti1Image), ("2", nib.Nifti2Image)):
        for end, order in (("<", "le"), (">", "be")):
            for i, sizes in enumerate(([7], [8, 8, 8], [3, 700, 1], [9000], [0])):
                extended(f"extended-{kind}-{order}-{i}.nii{'.gz' if i == 3 else ''}", image_type, sizes, end, i)
    for kind, pair_type in (("1", nib.Nifti1Pair), ("2", nib.Nifti2Pair)):
        save(pair_type(values(np.int16, seed=11), AFFINE), f"pair-{kind}.hdr")
        save(pair_type(values(np.float32, 2, seed=12), AFFINE, pair_type.header_class(endianness=">")), f"pair-{kind}-be.img")
    image = nib.Nifti1Pair(values(np.uint8, seed=13), AFFINE)
    image.header.extensions.append(nib.nifti1.Nifti1Extension(6, b"x" * 900))
    save(image, "pair-extended.hdr")
    save(nib.Nifti1Pair(values(np.uint8, seed=14), AFFINE), "pair-packed.img.gz")
    save(nib.Nifti1Pair(values(np.uint8, seed=15), AFFINE), "pair-half.hdr")
    (OUT / "pair-half.img.gz").write_bytes(gzip.compress((OUT / "pair-half.img").read_bytes(), mtime=0))
    (OUT / "pair-half.img").unlink()
    nib.save(nib.AnalyzeImage(values(np.int16), np.diag([1, 1, 2, 1.0])), OUT / "analyze.hdr")
    for dtype in (np.uint8, np.int16, np.int32, np.float32):
        nib.save(nib.MGHImage(values(dtype, seed=20), AFFINE), OUT / f"{np.dtype(dtype).name}.mgz")
    nib.save(nib.MGHImage(values(np.int16, 3, seed=21), AFFINE), OUT / "frames.mgh")
    flipped = np.diag([-0.9, 0.8, -1.7, 1.0]) @ np.array([[0, 1, 0, 3], [0, 0, 1, 4], [1, 0, 0, 5], [0, 0, 0, 1.0]])
    nib.save(nib.MGHImage(values(np.uint8, seed=22), flipped), OUT / "turned.mgz")
    references = {}
    for path in sorted(OUT.iterdir()):
        if path.name.startswith("analyze") or ".img" in path.name:
            continue  # the header stands for the pair
        if path.name == "pair-half.hdr":  # which nibabel does not find the other half of
            affine, data = AFFINE, values(np.uint8, seed=15)
        else:
            image = nib.load(path)
            affine, data = image.affine, np.asarray(image.dataobj)
        data = data.reshape((*data.shape[:3], -1), order="F")
        references[path.name] = {
            "affine": affine[:3].ravel().tolist(),
            "values": base64.b64encode(data.astype("<f4").tobytes("F")).decode(),
        }
    versions = {"nibabel": nib.__version__, "numpy": np.__version__}
    lines = ",\n".join(f'  "{name}": {json.dumps(found)}' for name, found in references.items())
    (HERE / "nibabel.json").write_text(f'{{\n"versions": {json.dumps(versions)},\n"references": {{\n{lines}\n}}}}\n')


main()
