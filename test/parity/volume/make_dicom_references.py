"""DICOM series that are easily misread, for test/volume/dicom-series.test.ts: folders in `dicom/`, what SimpleITK reads from each
in `dicom.json`.

Made with Python 3.11 and SimpleITK and NumPy as `dicom.json` names them; `python make_dicom_references.py` writes every file
anew. Slices are written by SimpleITK, and slope and intercept are replaced in their headers. Files of several
frames, which SimpleITK does not write, are put together here; it reads the sound one. Values of a series are those of its
slices, each read alone, so that its own slope counts.
"""

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import SimpleITK as sitk

HERE = Path(__file__).parent
OUT = HERE / "dicom"
SIZE, SPACING, ORIGIN = (5, 4), (0.8, 0.7), (-12.5, 33.0, 101.25)


def values(k):
    return (np.arange(20).reshape(SIZE[::-1]) * 3 + 100 * k).astype(np.int16)


def slices(folder, count, slope=None, intercept=None, position=None, rows=(1, 0, 0), columns=(0, 1, 0)):
    """A series; `slope` and `intercept` give the text of each slice, `position` its place in LPS."""
    target = OUT / folder
    target.mkdir(parents=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    series = f"1.2.826.0.1.3680043.8.498.{len(folder)}"
    files = []
    for k in range(count):
        piece = sitk.GetImageFromArray(values(k)[None])
        piece.SetSpacing((*SPACING, 2.5))
        place = position(k) if position else (ORIGIN[0], ORIGIN[1], ORIGIN[2] + 2.5 * k)
        tags = {
            "0008|0060": "CT", "0020|000d": "1.2.826.0.1.3680043.8.498.9", "0020|000e": series,
            "0008|0018": f"{series}.{k + 1}", "0020|0013": str(k + 1),
            "0020|0032": "\\".join(f"{n:.6f}" for n in place), "0020|0037": "\\".join(f"{n:.8f}" for n in (*rows, *columns)),
        }  # fmt: skip
        for tag, value in tags.items():
            piece.SetMetaData(tag, value)
        path = target / f"IM{(k * 3) % 7:04d}.dcm"
        writer.SetFileName(str(path))
        writer.Execute(piece)
        content = path.read_bytes()
        content = with_text(content, 0x1052, intercept(k) if intercept else "0")
        content = with_text(content, 0x1053, slope(k) if slope else "1")
        path.write_bytes(content)
        files.append(path)
    return files


def with_text(content, number, text):
    """The element (0028, number) of a file without names of types, with another value."""
    at = content.index(struct.pack("<HH", 0x28, number))
    (length,) = struct.unpack_from("<I", content, at + 4)
    value = text.encode() + b" " * (len(text) % 2)
    return content[: at + 4] + struct.pack("<I", len(value)) + value + content[at + 8 + length :]


def element(group, number, vr, value):
    if isinstance(value, str):
        value = value.encode() + (b"" if len(value) % 2 == 0 else b"\0" if vr == "UI" else b" ")
    if vr in ("OB", "OW", "SQ"):
        return struct.pack("<HH2sHI", group, number, vr.encode(), 0, len(value)) + value
    return struct.pack("<HH2sH", group, number, vr.encode(), len(value)) + value


def sequence(group, number, items):
    whole = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in items)
    return element(group, number, "SQ", whole)


def frames(folder, places):
    """An enhanced MR file with one frame at each place."""
    kind, uid = "1.2.840.10008.5.1.4.1.1.4.1", "1.2.826.0.1.3680043.8.498.77"
    short = lambda n: struct.pack("<H", n)
    decimal = lambda *numbers: "\\".join(f"{n:g}" for n in numbers)
    measures = sequence(0x28, 0x9110, [element(0x18, 0x50, "DS", "2.5") + element(0x28, 0x30, "DS", decimal(0.7, 0.8))])
    orientation = sequence(0x20, 0x9116, [element(0x20, 0x37, "DS", decimal(1, 0, 0, 0, 1, 0))])
    per_frame = []
    for place in places:
        item = sequence(0x20, 0x9113, [element(0x20, 0x32, "DS", decimal(*place))])
        rescale = element(0x28, 0x1052, "DS", "0") + element(0x28, 0x1053, "DS", "1") + element(0x28, 0x1054, "LO", "US")
        per_frame.append(item + sequence(0x28, 0x9145, [rescale]))
    body = [
        element(8, 0x16, "UI", kind), element(8, 0x18, "UI", uid), element(8, 0x60, "CS", "MR"),
        element(0x20, 0x0D, "UI", f"{uid}.1"), element(0x20, 0x0E, "UI", f"{uid}.2"), element(0x20, 0x13, "IS", "1"),
        element(0x28, 2, "US", short(1)), element(0x28, 4, "CS", "MONOCHROME2"), element(0x28, 8, "IS", str(len(places))),
        element(0x28, 0x10, "US", short(SIZE[1])), element(0x28, 0x11, "US", short(SIZE[0])),
        element(0x28, 0x100, "US", short(16)), element(0x28, 0x101, "US", short(16)), element(0x28, 0x102, "US", short(15)),
        element(0x28, 0x103, "US", short(1)), sequence(0x5200, 0x9229, [measures + orientation]),
        sequence(0x5200, 0x9230, per_frame),
        element(0x7FE0, 0x10, "OW", b"".join(values(k).astype("<i2").tobytes() for k in range(len(places)))),
    ]  # fmt: skip
    meta = b"".join(
        element(2, number, vr, value)
        for number, vr, value in [
            (1, "OB", b"\0\1"), (2, "UI", kind), (3, "UI", uid), (0x10, "UI", "1.2.840.10008.1.2.1"), (0x12, "UI", f"{uid}.3"),
        ]
    )  # fmt: skip
    head = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta))
    (OUT / folder).mkdir(parents=True)
    path = OUT / folder / "frames.dcm"
    path.write_bytes(b"\0" * 128 + b"DICM" + head + meta + b"".join(body))
    return [path]


def expected(files):
    reads = [sitk.GetArrayFromImage(sitk.ReadImage(str(file))).astype(np.float64) for file in files]
    if len(files) > 1:
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames([str(file) for file in files])
        image = reader.Execute()
    else:
        image = sitk.ReadImage(str(files[0]))
    flip = np.diag([-1.0, -1.0, 1.0])
    matrix = flip @ np.array(image.GetDirection()).reshape(3, 3) @ np.diag(image.GetSpacing())
    affine = np.column_stack([matrix, flip @ np.array(image.GetOrigin())])
    return {
        "affine": affine.ravel().tolist(),
        "values": np.concatenate(reads).astype(np.float32).astype(float).ravel().tolist(),
    }


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    references = {
        "equal": expected(slices("equal", 4, lambda k: "2.5", lambda k: "-1024")),
        "slopes": expected(slices("slopes", 4, lambda k: f"{0.1 + 0.37 * k:.6f}")),
        "whole-slope-first": expected(slices("whole-slope-first", 4, lambda k: ["1", "0.47", "3", "0.002"][k])),
        "intercepts": expected(slices("intercepts", 4, None, lambda k: "-1024" if k % 2 else "-2047")),
        "tiny-slopes": expected(slices("tiny-slopes", 4, lambda k: f"{1e-8 * (1 + k):.8e}")),
    }
    tilt = np.radians(20)
    down = (0, np.cos(tilt), -np.sin(tilt))
    slices("tilted", 4, columns=down)
    slices("tilted-the-other-way", 4, columns=(0, np.cos(tilt / 4), np.sin(tilt / 4)))
    slices("aside", 4, position=lambda k: (ORIGIN[0] + (3 if k == 2 else 0), ORIGIN[1], ORIGIN[2] + 2.5 * k))
    place = lambda k, dx=0: (ORIGIN[0] + dx, ORIGIN[1], ORIGIN[2] + 2.5 * k)
    references["frames"] = expected(frames("frames", [place(k) for k in range(4)]))
    frames("frames-of-two-times", [place(k % 2) for k in range(4)])
    frames("frames-uneven", [place(k) for k in (0, 1, 3, 4)])
    frames("frames-at-no-place", [(), (), (), ()])
    versions = {"SimpleITK": sitk.Version.VersionString(), "numpy": np.__version__}
    lines = ",\n".join(f'  "{name}": {json.dumps(found)}' for name, found in references.items())
    (HERE / "dicom.json").write_text(f'{{\n"versions": {json.dumps(versions)},\n"references": {{\n{lines}\n}}}}\n')


main()
