"""Drawn headers for test/volume/drawn-headers.test.ts: 5,000 headers of NIfTI-1 and -2, NRRD and MetaImage, with what nibabel and
SimpleITK read from each, in `drawn-headers.jsonl.gz`.

Made with Python 3.11 and the versions in the first line; `python make_drawn_headers.py` draws and reads all of them anew. A line has
the header's bytes in base64, the type of its voxels, whether the header keeps to its format (`legal`), and of each reader the
affine into RAS and the values of four voxels, or null where it refuses. Voxels are drawn from their index (`stored`), as the test
does again.
"""

import base64
import gzip
import itertools
import json
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk

HERE = Path(__file__).parent
SEED = 20261129
warnings.simplefilter("ignore")
sitk.ProcessObject.SetGlobalWarningDisplay(False)
nib.imageglobals.logger.disabled = True
TYPES = {"uint8": 2, "int16": 4, "int32": 8, "float32": 16, "float64": 64, "int8": 256, "uint16": 512, "uint32": 768, "int64": 1024, "uint64": 1280}
SIZE = (3, 2, 4)


def stored(count, dtype):
    i = np.arange(count)
    return ((i * 37 + 11) % 101 - (50 if np.dtype(dtype).kind in "if" else 0)).astype(dtype)


def rotations(r):
    for _ in range(40):
        q, _ = np.linalg.qr(r.normal(size=(3, 3)))
        yield np.round(q, 3)
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            yield np.eye(3)[list(order)] * signs


def pick(r, usual, *odd, share=0.25):
    return usual if r.random() > share or not odd else odd[r.integers(len(odd))]


def nifti(r, turns):
    version, end = r.choice([1, 2]), r.choice(["<", ">"])
    header = (nib.Nifti1Header if version == 1 else nib.Nifti2Header)(endianness=end)
    dtype = r.choice(list(TYPES))
    h = header.structarr
    h["magic"] = b"n+1" if version == 1 else b"n+2"
    shape = pick(r, SIZE, (*SIZE, 1), (*SIZE, 2), (*SIZE, 1, 3), (*SIZE, 1, 1, 1), SIZE[:2], share=0.2)
    h["dim"] = 0 if r.random() < 0.2 else 1
    h["dim"][0], h["dim"][1 : len(shape) + 1] = len(shape), shape
    h["datatype"], h["bitpix"] = TYPES[dtype], np.dtype(dtype).itemsize * 8
    spacing = np.round(r.choice([0.5, 0.78, 1, 1.25, 2.5, 3], 3), 2)
    legal = True
    # What only some files have wrong
    odd_spacing = r.random() < 0.1
    pixdim = spacing.copy()
    if odd_spacing:
        pixdim[r.integers(3)] = r.choice([0, -1.5, np.nan, np.inf, -0.78])
        legal = False
    h["pixdim"] = 1
    h["pixdim"][0], h["pixdim"][1:4] = r.choice([1, -1, 0], p=[0.6, 0.3, 0.1]), pixdim
    sform_code = int(pick(r, r.choice([0, 1, 2, 3, 4]), 5, -1, 17, share=0.05))
    qform_code = int(pick(r, r.choice([0, 1, 2]), 3, 4, -2, share=0.1))
    h["sform_code"], h["qform_code"] = sform_code, qform_code
    turn = turns[r.integers(len(turns))]
    matrix = turn * spacing
    origin = np.round(r.choice([-90.5, 0, 12.25, 101], 3), 2)
    if r.random() < 0.05:
        matrix[0, 1] += 0.2  # shear
    if r.random() < 0.05:
        matrix = matrix * 1.5  # not what pixdim says
    if r.random() < 0.03:
        matrix = r.choice([0, np.nan]) * matrix
        legal = False
    for row in range(3):
        h[f"srow_{'xyz'[row]}"] = [*matrix[row], origin[row]]
    proper = turn * np.sign(np.linalg.det(turn))
    b, c, d = nib.quaternions.mat2quat(nearest(proper))[1:]
    if r.random() < 0.04:
        b, c, d = (b * 2 + 0.9, c, d) if r.random() < 0.5 else (np.nan, c, d)
        legal = False
    h["quatern_b"], h["quatern_c"], h["quatern_d"] = b, c, d
    h["qoffset_x"], h["qoffset_y"], h["qoffset_z"] = origin if r.random() < 0.8 else origin + 3
    units = int(pick(r, 2, 0, 1, 3, 10, 17, 19, 24, 4, 7, 255, share=0.4))
    h["xyzt_units"] = units
    slope, inter = pick(r, (1, 0), (0, 0), (2, 5), (0.37, -1024), (np.nan, np.nan), (0, 5), (np.nan, 5), (2, np.nan), (np.inf, 0), (1, -1024), (-1, 3), (0, np.nan), share=0.45)
    h["scl_slope"], h["scl_inter"] = slope, inter
    first = 352 if version == 1 else 544
    offset = pick(r, first, first + 16, first + 656, 0, 100, share=0.15)
    h["vox_offset"] = offset
    legal = legal and offset >= first and np.isfinite([slope or 0, inter or 0]).all() and (slope != 0 or inter == 0)
    legal = legal and sform_code in range(6) and qform_code in range(6) and units & 7 <= 3 and h["dim"][len(shape) + 1 :].min(initial=1) >= 0
    h["intent_code"] = pick(r, 0, 1007, 1002, share=0.1)
    h["cal_max"], h["descrip"], h["dim_info"] = r.choice([0, 100]), r.choice([b"", b"FSL5.0"]), r.choice([0, 57])
    flag = b"\1\0\0\0" if offset > first and r.random() < 0.5 else b"\0\0\0\0"
    content = header.binaryblock + flag
    count = int(np.prod(shape))
    start = max(first, int(offset))
    if flag[0]:
        size = start - first
        content += np.array([size, 6], f"{end}i4").tobytes() + b"x" * (size - 8)
    content = content.ljust(start, b"\0")
    kind = f"nifti{version}"
    return {"kind": kind, "type": f"{end}{np.dtype(dtype).kind}{np.dtype(dtype).itemsize}", "count": count, "legal": bool(legal), "matrix": [*matrix.ravel(), b, *pixdim]}, content, ".nii"


def nearest(matrix):
    u, _, v = np.linalg.svd(matrix)
    return u @ v


NRRD_TYPES = {
    "int8": ["signed char", "int8", "int8_t"], "uint8": ["uchar", "unsigned char", "uint8", "uint8_t"],
    "int16": ["short", "short int", "signed short", "signed short int", "int16", "int16_t"],
    "uint16": ["ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"],
    "int32": ["int", "signed int", "int32", "int32_t"], "uint32": ["uint", "unsigned int", "uint32", "uint32_t"], "float32": ["float"],
}  # fmt: skip
SPACES = [
    "right-anterior-superior", "left-anterior-superior", "left-posterior-superior", "RAS", "LAS", "LPS", "ras", "las", "lps",
    "Left-Posterior-Superior", "RIGHT-ANTERIOR-SUPERIOR", "scanner-xyz", "3D-right-handed", "3D-left-handed", "SPL", "right-up",
]  # fmt: skip


def vectors(turn, spacing):
    return " ".join("(" + ",".join(f"{n:g}" for n in turn[:, axis] * spacing[axis]) + ")" for axis in range(3))


def nrrd(r, turns):
    dtype = r.choice(list(NRRD_TYPES))
    end = r.choice(["<", ">"]) if np.dtype(dtype).itemsize > 1 else "<"
    space = SPACES[r.integers(len(SPACES))]
    spacing = np.round(r.choice([0.5, 0.78, 1, 1.25, 2.5], 3), 2)
    turn = turns[r.integers(len(turns))]
    origin = np.round(r.choice([-90.5, 0, 12.25], 3), 2)
    separator = pick(r, ": ", ":", ":  ", share=0.2)
    legal = space not in ("SPL", "right-up")
    lines = [
        f"type{separator}{r.choice(NRRD_TYPES[dtype])}", "dimension: 3", f"sizes: {SIZE[0]} {SIZE[1]} {SIZE[2]}",
        f"space{separator}{space}", f"space directions{separator}{vectors(turn, spacing)}",
        f"space origin: ({','.join(f'{n:g}' for n in origin)})", f"encoding: {pick(r, 'raw', 'RAW', share=0.1)}",
    ]  # fmt: skip
    if np.dtype(dtype).itemsize > 1 or r.random() < 0.3:
        lines.append(f"endian: {'little' if end == '<' else 'big'}")
    if r.random() < 0.3:
        lines.append(r.choice(["kinds: domain domain domain", "kinds: space space space"]))
    units = pick(r, None, '"mm" "mm" "mm"', '"um" "um" "um"', '"cm" "cm" "cm"', '"m" "m" "m"', '"" "" ""', share=0.2)
    if units:
        lines.append(f"space units: {units}")
    if r.random() < 0.2:
        lines.append(r.choice(["# a comment", "modality:=CT", "key with spaces:=value: with colon", "content: something"]))
    if r.random() < 0.1:
        lines.remove(next(line for line in lines if line.startswith("space origin")))
    if r.random() < 0.06:
        at = next(i for i, line in enumerate(lines) if line.startswith("space directions"))
        broken = ["(0,0,0) (0,1,0) (0,0,1)", "(1,0,0) (1,0,0) (0,0,1)", "(1,0) (0,1) (0,0)", "(nan,0,0) (0,1,0) (0,0,1)"]
        lines[at] = f"space directions: {r.choice(broken)}"
        legal = False
    order = [0, 1, 2, 3, *(4 + r.permutation(len(lines) - 4))]  # "space" stands before what is in it
    newline = pick(r, "\n", "\r\n", share=0.15)
    text = f"NRRD000{r.integers(4, 6)}{newline}" + newline.join(lines[i] for i in order) + newline * 2
    return {"kind": "nrrd", "type": f"{end}{np.dtype(dtype).kind}{np.dtype(dtype).itemsize}", "count": 24, "legal": bool(legal)}, text.encode(), ".nrrd"


META_TYPES = {"int8": "MET_CHAR", "uint8": "MET_UCHAR", "int16": "MET_SHORT", "uint16": "MET_USHORT", "int32": "MET_INT", "uint32": "MET_UINT", "float32": "MET_FLOAT"}


def metaimage(r, turns):
    dtype = r.choice(list(META_TYPES))
    big = r.random() < 0.4
    end = ">" if big and np.dtype(dtype).itemsize > 1 else "<"
    spacing = np.round(r.choice([0.5, 0.78, 1, 1.25, 2.5], 3), 2)
    turn = turns[r.integers(len(turns))]
    origin = np.round(r.choice([-90.5, 0, 12.25], 3), 2)
    word = lambda truth: r.choice((["True", "true", "TRUE", "T", "1", "Yes", "On"] if truth else ["False", "false", "F", "0", "No", "off"]))
    separator = pick(r, " = ", "=", " =", ": ", share=0.2)
    legal = True
    lines = ["ObjectType = Image", "NDims = 3", f"BinaryData{separator}{pick(r, 'True', word(True), share=0.3)}"]
    lines.append(f"{r.choice(['BinaryDataByteOrderMSB', 'ElementByteOrderMSB'])}{separator}{word(big)}")
    if r.random() < 0.5:
        lines.append(f"CompressedData{separator}{word(False)}")
    lines.append(f"{pick(r, 'TransformMatrix', 'Rotation', 'Orientation', share=0.1)}{separator}{' '.join(f'{n:g}' for n in turn.T.ravel())}")
    lines.append(f"{pick(r, 'Offset', 'Origin', 'Position', share=0.15)}{separator}{' '.join(f'{n:g}' for n in origin)}")
    if r.random() < 0.5:
        lines.append("CenterOfRotation = 0 0 0")
    if r.random() < 0.4:
        lines.append(f"AnatomicalOrientation = {r.choice(['RAI', 'LPS', '???', 'RAS'])}")
    spacing_key = pick(r, "ElementSpacing", "ElementSize", share=0.08)
    lines.append(f"{spacing_key}{separator}{' '.join(f'{n:g}' for n in spacing)}")
    if r.random() < 0.1:
        lines.append(f"DistanceUnits = {r.choice(['mm', 'um', 'cm', 'm', '?', 'parsec'])}")
    if r.random() < 0.1:
        lines.append("ElementNumberOfChannels = 1")
    if r.random() < 0.1:
        lines.append(r.choice(["ElementMin = -50", "Comment = of a phantom", "Modality = MET_MOD_CT", "ElementToIntensityFunctionSlope = 2", "SeriesDescription = a = b"]))
    if r.random() < 0.05:
        at = next(i for i, line in enumerate(lines) if line.startswith(("ElementSpacing", "ElementSize")))
        lines[at] = f"{spacing_key} = {r.choice(['0 1 1', '-1 1 1', 'nan 1 1', '1 1'])}"
        legal = False
    lines.append(f"DimSize = {SIZE[0]} {SIZE[1]} {SIZE[2]}")
    lines.append(f"ElementType = {META_TYPES[dtype]}")
    newline = pick(r, "\n", "\r\n", share=0.15)
    text = newline.join(lines) + newline + f"ElementDataFile{separator}{r.choice(['LOCAL', 'Local', 'local'])}\n"
    return {"kind": "metaimage", "type": f"{end}{np.dtype(dtype).kind}{np.dtype(dtype).itemsize}", "count": 24, "legal": bool(legal)}, text.encode(), ".mha"


def rounded(numbers):
    return [float(f"{n:.6g}") if np.isfinite(n) else str(n) for n in np.asarray(numbers, float).ravel()]


def some(values):
    """Four voxels, x fastest, of all channels."""
    flat = np.asarray(values, float).ravel(order="F")
    return rounded(flat[[0, len(flat) // 3, len(flat) // 2 + 1, len(flat) - 1]])


def by_nibabel(path):
    try:
        image = nib.load(path)
        data = np.asarray(image.dataobj)
        return {"affine": rounded(image.affine[:3]), "values": some(data)}
    except Exception:
        return None


def by_itk(path):
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError:
        return None
    array = sitk.GetArrayFromImage(image)
    if image.GetNumberOfComponentsPerPixel() > 1:
        array = np.moveaxis(array, -1, 0)
    axes = image.GetDimension()
    if axes < 3:
        return None  # a picture to ITK, without a third axis to compare
    direction = np.array(image.GetDirection()).reshape(axes, axes)
    matrix = direction[:3, :3] * np.array(image.GetSpacing())[:3]
    origin = image.GetOrigin()[:3]
    return {"affine": rounded(np.diag([-1, -1, 1]) @ np.column_stack([matrix, origin])), "values": some(array.ravel())}


def safely(pool, path):
    """ITK in a process of its own: some broken headers end it."""
    try:
        return pool[0].submit(by_itk, path).result(60)
    except BrokenProcessPool:
        pool[0] = ProcessPoolExecutor(1)
        return None


def main():
    pool = [ProcessPoolExecutor(1)]
    r = np.random.default_rng(SEED)
    turns = list(rotations(r))
    exact = [nearest(turn) for turn in turns]  # quaternions are of rotations alone
    lines = [json.dumps({"nibabel": nib.__version__, "SimpleITK": sitk.Version.VersionString(), "numpy": np.__version__, "seed": SEED})]
    with tempfile.TemporaryDirectory() as folder:
        for i in range(5000):
            draw = (nifti, nifti, nifti, nrrd, metaimage)[i % 5]
            params, header, ending = draw(r, exact if draw is nifti else turns)
            path = Path(folder) / f"{i}{ending}"
            readable = np.isfinite(params.pop("matrix", 0)).all() and b"nan" not in header  # on which ITK crashes
            path.write_bytes(header + stored(params["count"], params["type"]).tobytes())
            found = {"nibabel": by_nibabel(path)} if draw is nifti else {}
            lines.append(json.dumps({**params, "header": base64.b64encode(header).decode(), **found, "itk": safely(pool, path) if readable else None}, separators=(",", ":")))
            path.unlink()
    (HERE / "drawn-headers.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode() + b"\n", 9, mtime=0))


if __name__ == "__main__":
    main()
