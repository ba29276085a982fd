"""Headers of MetaImage, NRRD and NIfTI that say the usual in a less usual way, for test/volume/sibling-headers.test.ts: what SimpleITK,
and nibabel for NIfTI, read of each, in `siblings.json`. None stands for "refuses".

Made with Python 3.11 and the versions in the file; `python make_sibling_references.py` makes all anew. A case has its header, latin1;
the bytes of its voxels, base64; and, where those are in a file of their own, that file's name.
"""

import base64
import gzip
import json
import tempfile
import zlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk

sitk.ProcessObject.SetGlobalWarningDisplay(False)
V = (np.arange(60) * 37 % 101 - 50).astype("<i2")
W = np.arange(120).astype("<i2")
TURN, OTHER = "0 1 0 -1 0 0 0 0 1", "1 0 0 0 -1 0 0 0 -1"
cases = {}


def add(name, ending, header, data, file=None):
    assert name not in cases
    cases[name] = {"ending": ending, "header": header, "data": base64.b64encode(data).decode(), **({"file": file} if file else {})}


def meta(name, drop=(), data=V.tobytes(), file=None, newline="\n", before="", after=(), **fields):
    keys = {"ObjectType": "Image", "NDims": "3", "BinaryData": "True", "BinaryDataByteOrderMSB": "False", "CompressedData": "False", "TransformMatrix": "1 0 0 0 1 0 0 0 1", "Offset": "-3 4 5", "ElementSpacing": "0.5 0.7 2", "DimSize": "5 4 3", "ElementType": "MET_SHORT", **fields}
    lines = [f"{key} = {value}" for key, value in keys.items() if key not in drop] + list(after)
    text = before + newline.join(lines) + newline + f"ElementDataFile = {file or 'LOCAL'}{newline}"
    add(name, ".mhd" if file else ".mha", text.encode().decode("latin1"), data, file)


def nrrd(name, drop=(), data=V.tobytes(), file=None, newline="\n", after=(), **fields):
    keys = {"type": "short", "dimension": "3", "space": "left-posterior-superior", "sizes": "5 4 3", "space_directions": "(0.5,0,0) (0,0.7,0) (0,0,2)", "kinds": "domain domain domain", "endian": "little", "encoding": "raw", "space_origin": "(-3,4,5)", **fields}
    lines = ["NRRD0005"] + [f"{key.replace('_', ' ')}: {value}" for key, value in keys.items() if key not in drop] + list(after)
    if file:
        lines.append(f"data file: {file}")
    add(name, ".nhdr" if file else ".nrrd", (newline.join(lines) + newline + ("" if file else newline)).encode().decode("latin1"), data, file)


def nifti(name, **fields):
    header = nib.Nifti1Header()
    header["magic"], header["datatype"], header["bitpix"], header["vox_offset"], header["scl_slope"], header["xyzt_units"] = b"n+1", 4, 16, 352, 1, 2
    header["dim"][:4], header["pixdim"][:4], header["qform_code"] = (3, 5, 4, 3), (1, 0.5, 0.7, 2), 1
    header["qoffset_x"], header["qoffset_y"], header["qoffset_z"] = -3, 4, 5
    for key, value in fields.items():
        header[key] = value
    add(name, ".nii", (header.binaryblock + bytes(4)).decode("latin1"), V.tobytes())


def make():
    meta("TransformMatrix and Rotation", Rotation=TURN)
    meta("Rotation and Orientation", drop=["TransformMatrix"], Orientation=OTHER, Rotation=TURN)
    meta("Orientation alone", drop=["TransformMatrix"], Orientation=TURN)
    meta("Offset and Position", Position="1 2 3")
    meta("Origin and Offset", Origin="7 8 9")
    meta("Position and Origin", drop=["Offset"], Position="1 2 3", Origin="7 8 9")
    meta("Origin and Offset alike", Origin="-3 4 5")
    meta("ElementSize alone", drop=["ElementSpacing"], ElementSize="1 2 3")
    meta("ElementSize and ElementSpacing", ElementSize="1 2 3")
    meta("no spacing", drop=["ElementSpacing"])
    meta("no place", drop=["Offset", "TransformMatrix"])
    meta("negative spacing", ElementSpacing="-0.5 0.7 -2", TransformMatrix="0.8 0.6 0 -0.6 0.8 0 0 0 1")
    meta("directions longer than 1", TransformMatrix="2 0 0 0 2 0 0 0 2")
    meta("spacing with commas", ElementSpacing="0,5 0,7 2")
    meta("two numbers of three", Offset="1 2")
    meta("more sizes than axes", DimSize="5 4 3 2", data=W.tobytes())
    meta("fewer axes than sizes", NDims="2")
    for spelled in ("rotation", "POSITION", "origin", "elementsize", "dimsize"):
        drop = {"rotation": "TransformMatrix", "POSITION": "Offset", "origin": "Offset", "elementsize": "ElementSpacing", "dimsize": "DimSize"}[spelled]
        value = {"rotation": TURN, "POSITION": "1 2 3", "origin": "1 2 3", "elementsize": "1 2 3", "dimsize": "5 4 3"}[spelled]
        meta(f"key {spelled}", drop=[drop], **{spelled: value})
    meta("HeaderSize -1 before the end", file="junk.raw", HeaderSize="-1", data=b"junk" * 25 + V.tobytes())
    meta("HeaderSize -1, big-endian", file="junk.raw", HeaderSize="-1", BinaryDataByteOrderMSB="True", data=b"junk" * 25 + V.astype(">i2").tobytes())
    meta("HeaderSize 16", file="skip.raw", HeaderSize="16", data=b"x" * 16 + V.tobytes())
    meta("HeaderSize of voxels that follow", HeaderSize="16", data=b"x" * 16 + V.tobytes())
    meta("byte order mark", before="\ufeff")
    meta("comment with a key in it", after=["Comment = ElementSpacing = 9 9 9"])
    meta("two lines of one key", after=["ElementSpacing = 3 3 3"], newline="\r\n")
    meta("four axes", NDims="4", DimSize="5 4 3 2", TransformMatrix="0 1 0 0 -1 0 0 0 0 0 1 0 0 0 0 1", Offset="1 2 3 0", ElementSpacing="1 2 3 1", data=W.tobytes())
    meta("channels, big-endian", ElementNumberOfChannels="2", BinaryDataByteOrderMSB="True", data=W.astype(">i2").tobytes())
    for kind, code in (("MET_LONG", "i4"), ("MET_ULONG", "u4"), ("MET_DOUBLE", "f8"), ("MET_LONG_LONG", "i8"), ("MET_ULONG_LONG", "u8")):
        for order, msb in (("<", "False"), (">", "True")):
            raw = (np.abs(V) if code[0] == "u" else V).astype(order + code).tobytes()
            meta(f"{kind}, MSB {msb}", ElementType=kind, BinaryDataByteOrderMSB=msb, data=raw)
            small = zlib.compress(raw)
            meta(f"{kind}, MSB {msb}, packed", ElementType=kind, BinaryDataByteOrderMSB=msb, CompressedData="True", CompressedDataSize=len(small), data=small)
    small = zlib.compress(V.tobytes())
    meta("packed", CompressedData="True", CompressedDataSize=len(small), data=small)
    for name in ("voxels-检查.raw", "sub Sättiger/voxels.raw"):
        meta(f"voxels in {name}", file=name)
        nrrd(f"NRRD, voxels in {name}", file=name)
    meta("packed voxels in another script", file="объём.zraw", CompressedData="True", CompressedDataSize=len(small), data=small)
    nrrd("packed voxels of NRRD in another script", file="объём.raw.gz", encoding="gzip", data=gzip.compress(V.tobytes()))

    nrrd("a program's key like a field's", after=["space directions:=(9,0,0) (0,9,0) (0,0,9)", "space:=RAS", "encoding:=bzip2", "sizes:=1 2 3", "type:=foo"])
    nrrd("a field twice", after=["space origin: (1,2,3)"])
    nrrd("type in upper case", type="SHORT")
    nrrd("no endian", drop=["endian"])
    nrrd("no encoding", drop=["encoding"])
    nrrd("more axes than sizes", dimension="4")
    nrrd("line skip", file="lines.raw", line_skip="2", data=b"hello\nworld\n" + V.tobytes())
    nrrd("byte skip -1", file="junk.raw", byte_skip="-1", data=b"junkjunk" + V.tobytes())
    nrrd("line and byte skip", file="lines.raw", line_skip="1", byte_skip="3", data=b"hello\nabc" + V.tobytes())
    for kind in ("list", "vector", "2-vector", "time", "domain", "???"):
        nrrd(f"{kind} first", dimension="4", sizes="2 5 4 3", space_directions="none (0.5,0,0) (0,0.7,0) (0,0,2)", kinds=f"{kind} domain domain domain", data=W.tobytes())
        nrrd(f"{kind} last", dimension="4", sizes="5 4 3 2", space_directions="(0.5,0,0) (0,0.7,0) (0,0,2) none", kinds=f"domain domain domain {kind}", data=W.tobytes())
    nrrd("list between", dimension="4", sizes="5 2 4 3", space_directions="(0.5,0,0) none (0,0.7,0) (0,0,2)", kinds="domain list domain domain", data=W.tobytes())
    nrrd("no kinds of four", drop=["kinds"], dimension="4", sizes="2 5 4 3", space_directions="none (0.5,0,0) (0,0.7,0) (0,0,2)", data=W.tobytes())
    nrrd("a list with a direction", kinds="domain domain list")
    nrrd("five axes", dimension="5", sizes="2 1 5 4 3", space_directions="none none (0.5,0,0) (0,0.7,0) (0,0,2)", kinds="vector list domain domain domain", data=W.tobytes())
    nrrd("no origin", drop=["space_origin"])
    nrrd("commented out", newline="\r\n", after=["# space directions: (9,0,0) (0,9,0) (0,0,9)"])

    for sign in (0, 1, -1, 2, -2, -0.5, "-inf", "nan"):
        nifti(f"pixdim[0] {sign}", pixdim=[float(sign), 0.5, 0.7, 2, 1, 1, 1, 1])
    sform = {"sform_code": 1, "srow_x": [0.5, 0, 0, -3], "srow_y": [0, 0.7, 0, 4], "srow_z": [0, 0, 2, 5]}
    nifti("qform_code 4 a voxel aside", **{**sform, "qform_code": 4, "qoffset_x": -2.5})
    nifti("sform_code 4 and qform a voxel aside", **{**sform, "sform_code": 4, "qoffset_x": -2.5})
    nifti("pixdim[0] -2 with an sform", **{**sform, "pixdim": [-2, 0.5, 0.7, 2, 1, 1, 1, 1]})
    nifti("slope below what ITK takes", scl_slope=1e-20)
    nifti("voxels from an odd byte on", vox_offset=352.5)


def numbers(values):
    return [float(f"{n:.7g}") for n in np.asarray(values, float).ravel()]


def by_itk(path):
    try:
        image = sitk.ReadImage(path)
    except RuntimeError:
        return None
    array = sitk.GetArrayFromImage(image)
    if image.GetNumberOfComponentsPerPixel() > 1:
        array = np.moveaxis(array, -1, 0)
    axes = image.GetDimension()
    if axes < 3:
        return None
    direction = np.array(image.GetDirection()).reshape(axes, axes)[:3, :3]
    affine = np.diag([-1, -1, 1]) @ np.column_stack([direction * np.array(image.GetSpacing())[:3], image.GetOrigin()[:3]])
    return {"affine": numbers(affine), "values": numbers(array)}


def by_nibabel(path):
    image = nib.load(path)
    return {"affine": numbers(image.affine[:3]), "values": numbers(np.asarray(image.dataobj).ravel(order="F"))}


def main():
    make()
    for name, case in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            header, data = case["header"].encode("latin1"), base64.b64decode(case["data"])
            path = Path(folder) / f"x{case['ending']}"
            path.write_bytes(header if "file" in case else header + data)
            if "file" in case:
                other = Path(folder) / case["file"]
                other.parent.mkdir(exist_ok=True)
                other.write_bytes(data)
            with ProcessPoolExecutor(1) as pool:  # some headers end it
                case["itk"] = pool.submit(by_itk, str(path)).result(60)
            if case["ending"] == ".nii":
                case["nibabel"] = by_nibabel(str(path))
    versions = {"nibabel": nib.__version__, "SimpleITK": sitk.Version.VersionString(), "numpy": np.__version__}
    lines = ",\n".join(f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(case, ensure_ascii=False)}" for name, case in cases.items())
    (Path(__file__).parent / "siblings.json").write_text(f'{{"versions": {json.dumps(versions)}, "cases": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    main()
