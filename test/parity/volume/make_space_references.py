"""NRRD files in every space, for test/volume/nrrd-spaces.test.ts: files in `spaces/`, what SimpleITK reads from each in
`spaces.json`.

Made with Python 3.11 and SimpleITK and NumPy as `spaces.json` names them; `python make_space_references.py` writes every file
anew, the same bytes each time. Affines are into RAS: diag(-1, -1, 1) of SimpleITK's LPS. SimpleITK passes over the space where
time is one of its axes, so that the reference of such a file is its twin without time, one of the files here.
"""

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import SimpleITK as sitk

HERE = Path(__file__).parent
OUT = HERE / "spaces"
SIZE = (4, 3, 2)
VECTORS = [(0.8, 0.1, 0), (-0.05, 1.2, 0.3), (0.2, -0.4, 2.5)]
ORIGIN = (-12.5, 33.0, 101.25)
TYPES = {"int16": "short", "float64": "double", "uint8": "uint8"}
SPACES = {
    "RAS": ["right-anterior-superior", "RAS", "ras", "Right-Anterior-Superior"],
    "LAS": ["left-anterior-superior", "LAS", "las", "Left-Anterior-Superior"],
    "LPS": ["left-posterior-superior", "LPS", "lps", "LEFT-POSTERIOR-SUPERIOR"],
    "open": ["scanner-xyz", "3D-right-handed", "3D-left-handed"],
}
TIMED = {
    "RAS": ["right-anterior-superior-time", "RAST"],
    "LAS": ["left-anterior-superior-time", "LAST", "last"],
    "LPS": ["left-posterior-superior-time", "LPST"],
    "open": ["scanner-xyz-time"],
}


def bracket(vector):
    return "(" + ",".join(str(n) for n in vector) + ")"


def write(name, space, dtype="int16", big=False, encoding="raw", channels=None, timed=False, kinds=None):
    """`channels`: "first" or "last", where the axis of three channels is."""
    vectors = [bracket((*vector, 0) if timed else vector) for vector in VECTORS]
    sizes, count = list(SIZE), 24
    if channels == "first":
        sizes, vectors, count = [3, *sizes], ["none", *vectors], 72
    if channels == "last":
        sizes, vectors, count = [*sizes, 3], [*vectors, "none"], 72
    if timed:
        sizes, vectors, count = [*sizes, 3], [*vectors, "(0,0,0,5)"], 72
    lines = ["NRRD0005", f"type: {TYPES[dtype]}", f"dimension: {len(sizes)}"]
    lines += [f"space: {space}" if space else "space dimension: 3"]
    lines += [f"sizes: {' '.join(map(str, sizes))}", f"space directions: {' '.join(vectors)}"]
    lines += [f"kinds: {kinds}"] if kinds else []
    lines += [f"endian: {'big' if big else 'little'}", f"encoding: {encoding}"]
    lines += [f"space origin: {bracket((*ORIGIN, 1) if timed else ORIGIN)}", "", ""]
    values = (np.arange(count) * 3 + 1).astype(np.dtype(dtype).newbyteorder(">" if big else "<")).tobytes()
    content = gzip.compress(values, mtime=0) if encoding == "gzip" else values
    path = OUT / f"{name}.nrrd"
    path.write_bytes("\n".join(lines).encode() + content)
    return path


def by_itk(path):
    image = sitk.ReadImage(str(path))
    assert image.GetDimension() == 3
    affine = np.diag([-1.0, -1.0, 1.0]) @ np.column_stack(
        [np.array(image.GetDirection()).reshape(3, 3) @ np.diag(image.GetSpacing()), image.GetOrigin()]
    )
    values = sitk.GetArrayFromImage(image)
    if image.GetNumberOfComponentsPerPixel() > 1:
        values = np.moveaxis(values, -1, 0)
    return {"affine": affine.ravel().tolist(), "values": values.ravel().tolist()}


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    references = {}
    for family, names in SPACES.items():
        for space in names:
            path = write(space, space)
            references[path.name] = by_itk(path)
        for kind, how in {
            "gzip": {"encoding": "gzip"},
            "big-endian": {"big": True},
            "float64": {"dtype": "float64"},
            "uint8": {"dtype": "uint8"},
            "channels-first": {"channels": "first", "kinds": "vector domain domain domain"},
            "channels-last": {"channels": "last", "kinds": "domain domain domain list"},
        }.items():
            path = write(f"{family}-{kind}", names[0], **how)
            references[path.name] = by_itk(path)
        for space in TIMED[family]:
            path = write(space, space, timed=True)
            twin = references[f"{names[0]}.nrrd"]
            references[path.name] = {"affine": twin["affine"], "values": (np.arange(72) * 3 + 1).tolist()}
    path = write("no-space", None)
    references[path.name] = by_itk(path)
    versions = {"SimpleITK": sitk.Version.VersionString(), "numpy": np.__version__}
    lines = ",\n".join(f'  "{name}": {json.dumps(found)}' for name, found in references.items())
    (HERE / "spaces.json").write_text(f'{{\n"versions": {json.dumps(versions)},\n"references": {{\n{lines}\n}}}}\n')


main()
