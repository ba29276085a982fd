"""Reference files of the formats besides NIfTI for test/volume/formats.test.ts: scans in `formats/`, expected grids and values in `formats.json`.

Made with Python 3.11 and SimpleITK and NumPy as `formats.json` names them; `python make_format_references.py` writes every file
anew, the same bytes each time but for DICOM's own identifiers. Expected values are what SimpleITK reads back from the written
files; its LPS geometry is turned into RAS here: affine = diag(-1, -1, 1) direction * spacing | diag(-1, -1, 1) origin.
"""

import base64
import json
import shutil
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

HERE = Path(__file__).parent
OUT = HERE / "formats"
SIZE = (7, 6, 5)  # x, y, z
SPACING = (0.8, 0.7, 2.5)
ORIGIN = (-12.5, 33.0, 101.25)
AXIAL = np.eye(3)
OBLIQUE = Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix()
FLIPPED = OBLIQUE @ np.diag([1, -1, -1])  # two axes turned round
LEFT_HANDED = np.diag([1.0, 1.0, -1.0])


def image(dtype, direction=AXIAL, components=1):
    rng = np.random.default_rng(7)
    shape = SIZE[::-1] + ((components,) if components > 1 else ())
    info = np.iinfo(dtype) if np.issubdtype(dtype, np.integer) else None
    low, high = (max(info.min, -1000), min(info.max, 3000)) if info else (-1000, 3000)
    values = rng.integers(low, high, shape).astype(dtype)
    result = sitk.GetImageFromArray(values, isVector=components > 1)
    result.SetSpacing(SPACING)
    result.SetOrigin(ORIGIN)
    result.SetDirection([float(n) for n in direction.ravel()])
    return result


def expected(read):
    flip = np.diag([-1.0, -1.0, 1.0])
    direction = np.array(read.GetDirection()).reshape(3, 3)
    matrix = flip @ direction @ np.diag(read.GetSpacing())
    offset = flip @ np.array(read.GetOrigin())
    values = sitk.GetArrayFromImage(read)  # z, y, x (, component)
    if read.GetNumberOfComponentsPerPixel() > 1:
        values = np.moveaxis(values, -1, 0)  # planes
    return {
        "size": list(read.GetSize()),
        "spacing": list(read.GetSpacing()),
        "affine": [float(n) for row, o in zip(matrix, offset) for n in (*row, o)],
        "channels": read.GetNumberOfComponentsPerPixel(),
        "type": read.GetPixelIDTypeAsString(),
        "values": base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode(),
    }


def big_endian(name):
    """A MetaImage as big-endian scanners wrote it."""
    sitk.WriteImage(image(np.int16, OBLIQUE), str(OUT / name))
    raw = (OUT / name).with_suffix(".raw")
    raw.write_bytes(np.frombuffer(raw.read_bytes(), "<i2").astype(">i2").tobytes())
    header = OUT / name
    header.write_text(header.read_text().replace("BinaryDataByteOrderMSB = False", "BinaryDataByteOrderMSB = True"))


def dicom(folder, direction):
    """CT slices of one series under names whose order is not that of their places."""
    series = "1.2.826.0.1.3680043.8.498.1"
    target = OUT / folder
    target.mkdir(parents=True, exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    volume = image(np.int16, direction)
    for k, name in enumerate([3, 0, 4, 1, 2]):
        piece = volume[:, :, k : k + 1]
        position = volume.TransformIndexToPhysicalPoint((0, 0, k))
        tags = {
            "0008|0060": "CT",
            "0020|000d": "1.2.826.0.1.3680043.8.498.9",
            "0020|000e": series,
            "0008|0018": f"{series}.{k + 1}",
            "0020|0013": str(k + 1),
            "0020|0032": "\\".join(f"{n:.8f}" for n in position),
            "0020|0037": "\\".join(f"{n:.8f}" for n in [*direction[:, 0], *direction[:, 1]]),
            "0028|1052": "0",
            "0028|1053": "1",
        }
        for tag, value in tags.items():
            piece.SetMetaData(tag, value)
        writer.SetFileName(str(target / f"IM{name:04d}.dcm"))
        writer.Execute(piece)


def read_series(folder):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(OUT / folder)))
    return reader.Execute()


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    references = {}
    geometries = {"axial": AXIAL, "oblique": OBLIQUE, "flipped": FLIPPED, "left-handed": LEFT_HANDED}
    for name, direction in geometries.items():
        for ending in ("mhd", "nrrd"):
            file = f"{name}.{ending}"
            sitk.WriteImage(image(np.int16, direction), str(OUT / file))
            references[file] = expected(sitk.ReadImage(str(OUT / file)))
    types = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float32, np.float64]
    for dtype in types:
        for ending, compress in (("mha", False), ("nrrd", True)):
            file = f"{np.dtype(dtype).name}.{ending}"
            sitk.WriteImage(image(dtype, OBLIQUE), str(OUT / file), compress)
            references[file] = expected(sitk.ReadImage(str(OUT / file)))
    for file, compress in (("zraw.mhd", True), ("compressed.mha", True), ("detached.nhdr", False), ("detached-gz.nhdr", True)):
        sitk.WriteImage(image(np.int16, OBLIQUE), str(OUT / file), compress)
        references[file] = expected(sitk.ReadImage(str(OUT / file)))
    for file in ("channels.mha", "channels.nrrd"):
        sitk.WriteImage(image(np.int16, OBLIQUE, components=3), str(OUT / file))
        references[file] = expected(sitk.ReadImage(str(OUT / file)))
    big_endian("big-endian.mhd")
    references["big-endian.mhd"] = expected(sitk.ReadImage(str(OUT / "big-endian.mhd")))
    for name in ("axial", "oblique"):
        dicom(f"dicom-{name}", geometries[name])
        references[f"dicom-{name}"] = expected(read_series(f"dicom-{name}"))
    versions = {"SimpleITK": sitk.Version.VersionString(), "numpy": np.__version__}
    (HERE / "formats.json").write_text(json.dumps({"versions": versions, "references": references}, indent=1) + "\n")


main()
