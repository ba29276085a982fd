"""Kinds of DICOM for test/volume/dicom-kinds.test.ts: folders in `dicom-kinds/`, what pydicom reads from each in `dicom-kinds.json`.

Made with Python 3.11, pydicom, its decoders and SimpleITK as `dicom-kinds.json` names them; `python make_dicom_kind_references.py`
writes every file anew. Values are pydicom's pixels of each slice times its own slope, plus its own intercept; places are the
slices' own. `itk` says what SimpleITK makes of the same folder: "same", "differs", or "refuses".
"""

import base64
import json
import shutil
import zlib
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    RLELossless, JPEG2000Lossless, JPEGLSLossless, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian,
    ExplicitVRLittleEndian, ImplicitVRLittleEndian,
)  # fmt: skip

HERE = Path(__file__).parent
OUT = HERE / "dicom-kinds"
ROWS, COLUMNS, COUNT = 5, 7, 4
SPACING, STEP, ORIGIN = (0.7, 0.8), 2.5, (-12.5, 33.0, 101.25)
CT, MR, ENHANCED_CT, ENHANCED_MR = (f"1.2.840.10008.5.1.4.1.1.{n}" for n in ("2", "4", "2.1", "4.1"))
ROOT = "1.2.826.0.1.3680043.8.498.55"


def stored(k, dtype=np.int16, low=-900):
    return (np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS) * 13 + 97 * k + (low if np.dtype(dtype).kind == "i" else 0)).astype(dtype)


def base(pixels, kind=CT, stored_bits=None, high=None, signed=None):
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = kind, f"{ROOT}.1"
    ds.Modality = "MR" if kind in (MR, ENHANCED_MR) else "CT"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.InstanceNumber = f"{ROOT}.2", f"{ROOT}.3", 1
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape[-2:]
    ds.BitsAllocated = pixels.dtype.itemsize * 8
    ds.BitsStored = stored_bits or ds.BitsAllocated
    ds.HighBit = ds.BitsStored - 1 if high is None else high
    ds.PixelRepresentation = int(pixels.dtype.kind == "i") if signed is None else signed
    ds.PixelData = pixels.tobytes()
    return ds


def save(ds, path, syntax=ExplicitVRLittleEndian, preamble=True, meta=True, words=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.preamble = b"\0" * 128
    if syntax == ExplicitVRBigEndian and ds.BitsAllocated > 8:
        ds.PixelData = np.frombuffer(ds.PixelData, f"<u{ds.BitsAllocated // 8}").byteswap().tobytes()
    ds["PixelData"].VR = "OW" if words or ds.BitsAllocated > 8 or syntax == ImplicitVRLittleEndian else "OB"
    if words:  # two pixels of one byte in each, turned round
        ds.PixelData = np.frombuffer(ds.PixelData + b"\0" * (len(ds.PixelData) % 2), "<u2").byteswap().tobytes()
    ds.save_as(path, enforce_file_format=True)
    content = path.read_bytes()
    if not meta:  # the group of meta information ends where its length says
        content = content[144 + int.from_bytes(content[140:144], "little") :]
    elif not preamble:
        content = content[132:]
    path.write_bytes(content)


def series(folder, make, *, syntax=ExplicitVRLittleEndian, name="IM{:04d}.dcm", order=(2, 0, 3, 1), numbers=None, place=None, **how):
    for k in range(COUNT):
        ds = make(k)
        ds.SOPInstanceUID = f"{ROOT}.{len(folder)}.{k + 1}"
        ds.SeriesInstanceUID = f"{ROOT}.{len(folder)}"
        ds.InstanceNumber = numbers[k] if numbers else k + 1
        ds.ImagePositionPatient = list(place(k)) if place else [ORIGIN[0], ORIGIN[1], ORIGIN[2] + STEP * k]
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.PixelSpacing, ds.SliceThickness = list(SPACING), "2.5"
        save(ds, OUT / folder / name.format(order[k]), syntax(k) if callable(syntax) and not isinstance(syntax, str) else syntax, **how)


def large(k, dtype=np.int16):
    """JPEG 2000 is not written of pictures below 32 x 32."""
    return np.kron(stored(k, dtype), np.ones((7, 5), dtype)) + np.arange(35, dtype=dtype)[:, None]


def rescaled(ds, slope, intercept):
    ds.RescaleSlope, ds.RescaleIntercept = slope, intercept
    return ds


def compressed(folder, syntax, make):
    series(folder, make)
    for path in sorted((OUT / folder).iterdir()):
        ds = pydicom.dcmread(path)
        ds.compress(syntax, generate_instance_uid=False)
        ds.save_as(path)


def enhanced(folder, positions, *, kind=ENHANCED_CT, slopes=None, turned=False, syntax=ExplicitVRLittleEndian):
    """Frames of one file; their slopes are their own where `slopes` gives them, as is their direction with `turned`."""
    ds = base(np.stack([stored(k) for k in range(len(positions))]), kind)
    ds.NumberOfFrames = len(positions)
    shared, ds.PerFrameFunctionalGroupsSequence = Dataset(), Sequence()
    measures, orientation = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness, measures.SpacingBetweenSlices = list(SPACING), 2.5, 2.5
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence = Sequence([measures])
    if not turned:
        shared.PlaneOrientationSequence = Sequence([orientation])
    if slopes is None:
        shared.PixelValueTransformationSequence = Sequence([transformation(2, -1024)])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    for k, z in enumerate(positions):
        item, place = Dataset(), Dataset()
        place.ImagePositionPatient = [ORIGIN[0], ORIGIN[1], ORIGIN[2] + z]
        item.PlanePositionSequence = Sequence([place])
        if turned:
            item.PlaneOrientationSequence = Sequence([orientation])
        if slopes is not None:
            item.PixelValueTransformationSequence = Sequence([transformation(slopes[k], -1000 + k)])
        ds.PerFrameFunctionalGroupsSequence.append(item)
    save(ds, OUT / folder / "frames.dcm", syntax)
    if syntax == RLELossless:
        raise ValueError("compress after saving")


def transformation(slope, intercept):
    item = Dataset()
    item.RescaleSlope, item.RescaleIntercept, item.RescaleType = slope, intercept, "US"
    return item


def slices_of(path):
    """Each slice of a file: its place and its values, by pydicom."""
    ds = pydicom.dcmread(path, force=True)
    if "TransferSyntaxUID" not in getattr(ds, "file_meta", {}):
        if not hasattr(ds, "file_meta"):
            ds.file_meta = FileMetaDataset()
        big = ds.original_encoding == (False, False)
        ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian if big else ExplicitVRLittleEndian
    pixels = ds.pixel_array.astype(np.float64).reshape(-1, ds.Rows, ds.Columns)
    for k, values in enumerate(pixels):
        if "PerFrameFunctionalGroupsSequence" in ds:
            own, shared = ds.PerFrameFunctionalGroupsSequence[k], ds.SharedFunctionalGroupsSequence[0]
            pick = lambda name: (own if name in own else shared)[name].value[0]
            place = pick("PlanePositionSequence").ImagePositionPatient
            change = pick("PixelValueTransformationSequence")
            slope, intercept = change.RescaleSlope, change.RescaleIntercept
        else:
            place = ds.ImagePositionPatient
            slope, intercept = ds.get("RescaleSlope", 1), ds.get("RescaleIntercept", 0)
        yield [float(n) for n in place], values * float(slope) + float(intercept)


def expected(folder):
    slices = [one for path in sorted((OUT / folder).iterdir()) for one in slices_of(path)]
    slices.sort(key=lambda one: one[0][2])
    places = np.array([place for place, _ in slices])
    step = (places[-1] - places[0]) / (len(places) - 1)
    lps = np.column_stack([[SPACING[1], 0, 0], [0, SPACING[0], 0], step, places[0]])
    values = np.stack([values for _, values in slices])
    return {
        "affine": (np.diag([-1, -1, 1]) @ lps).ravel().tolist(),
        "values": base64.b64encode(values.astype("<f4").tobytes()).decode(),
        "itk": by_itk(folder, values),
    }


def by_itk(folder, values):
    try:
        reader = sitk.ImageSeriesReader()
        names = reader.GetGDCMSeriesFileNames(str(OUT / folder))
        image = sitk.ReadImage(names[0]) if len(names) == 1 else sitk.ReadImage(names)
    except (RuntimeError, IndexError):
        return "refuses"
    found = sitk.GetArrayFromImage(image).astype(np.float64)
    found = np.squeeze(found)
    return "same" if found.shape == values.shape and np.abs(found - values).max() < 1e-4 * np.abs(values).max() else "differs"


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    u16 = lambda k: stored(k, np.uint16)
    ct = lambda k: rescaled(base(stored(k)), 1, -24)
    series("implicit", ct, syntax=ImplicitVRLittleEndian)
    series("big-endian", ct, syntax=ExplicitVRBigEndian)
    series("big-endian-8-bits", lambda k: base(stored(k, np.uint8)), syntax=ExplicitVRBigEndian)
    series("big-endian-8-bits-in-words", lambda k: base(stored(k, np.uint8)), syntax=ExplicitVRBigEndian, words=True)
    series("deflated", ct, syntax=DeflatedExplicitVRLittleEndian)
    series("without-preamble", ct, preamble=False)
    series("without-preamble-implicit", ct, preamble=False, syntax=ImplicitVRLittleEndian)
    series("without-meta", ct, meta=False)
    series("without-meta-implicit", ct, meta=False, syntax=ImplicitVRLittleEndian)
    series("without-meta-big-endian", ct, meta=False, syntax=ExplicitVRBigEndian)
    series("without-ending", ct, name="IM{:04d}")
    series("uid-names", ct, name="1.2.826.0.1.3680043.8.498.{}")
    series("mixed-syntaxes", ct, syntax=lambda k: [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian][k])
    series("unsigned-16", lambda k: base(u16(k) + 60000))
    series("8-bits", lambda k: base(stored(k, np.uint8)))
    series("signed-8-bits", lambda k: base(stored(k, np.int8, -60)))
    series("32-bits", lambda k: base(stored(k, np.int32, -9) * 100000))
    series("unsigned-32", lambda k: base(stored(k, np.uint32) + 3_000_000_000))
    series("12-of-16", lambda k: base(u16(k), stored_bits=12))
    series("12-of-16-signed", lambda k: base((stored(k) & 0xFFF).astype(np.uint16), stored_bits=12, signed=1))
    series("12-of-16-sign-extended", lambda k: base(stored(k), stored_bits=12))
    series("12-of-16-with-overlay", lambda k: base((u16(k) | (np.arange(COLUMNS, dtype=np.uint16) << 12)).astype(np.uint16), stored_bits=12))
    series("mixed-signs", lambda k: base(stored(k) if k % 2 else u16(k)))
    series("monochrome1", lambda k: setattr(ds := ct(k), "PhotometricInterpretation", "MONOCHROME1") or ds)
    series("padding", lambda k: setattr(ds := rescaled(base(np.where(stored(k) < -600, -2000, stored(k)).astype(np.int16)), 1, 24), "PixelPaddingValue", -2000) or ds)
    series("slope-missing-in-some", lambda k: base(stored(k)) if k == 2 else rescaled(base(stored(k)), 2, -1024))
    series("intercept-alone", lambda k: setattr(ds := base(stored(k)), "RescaleIntercept", -1024) or ds)
    series("fractional-slope", lambda k: rescaled(base(u16(k)), "0.2344", "-17.5"))
    series("decreasing-numbers", ct, numbers=[4, 3, 2, 1])
    series("numbers-all-alike", ct, numbers=[1, 1, 1, 1])
    enhanced("enhanced-ct", [0, 2.5, 5, 7.5])
    enhanced("enhanced-mr-slopes", [0, 2.5, 5, 7.5], kind=ENHANCED_MR, slopes=[1, 2, 0.5, 3.25])
    enhanced("enhanced-downwards", [7.5, 5, 2.5, 0])
    enhanced("enhanced-shuffled", [2.5, 0, 7.5, 5], turned=True)
    enhanced("enhanced-big-endian", [0, 2.5, 5, 7.5], syntax=ExplicitVRBigEndian)
    enhanced("enhanced-deflated", [0, 2.5, 5, 7.5], syntax=DeflatedExplicitVRLittleEndian)
    compressed("rle", RLELossless, ct)
    compressed("jpeg-ls", JPEGLSLossless, ct)
    compressed("jpeg-2000", JPEG2000Lossless, lambda k: rescaled(base(large(k)), 1, -24))
    compressed("jpeg-2000-12-bits-slopes", JPEG2000Lossless, lambda k: rescaled(base(large(k, np.uint16), stored_bits=12), 1 + 0.25 * k, -3))
    enhanced("enhanced-rle", [0, 2.5, 5, 7.5])
    path = OUT / "enhanced-rle" / "frames.dcm"
    ds = pydicom.dcmread(path)
    ds.compress(RLELossless, generate_instance_uid=False)
    ds.save_as(path)
    references = {folder.name: expected(folder.name) for folder in sorted(OUT.iterdir())}
    versions = {"pydicom": pydicom.__version__, "SimpleITK": sitk.Version.VersionString(), "numpy": np.__version__}
    lines = ",\n".join(f'  "{name}": {json.dumps(found)}' for name, found in references.items())
    (HERE / "dicom-kinds.json").write_text(f'{{\n"versions": {json.dumps(versions)},\n"references": {{\n{lines}\n}}}}\n')
    for name, found in references.items():
        print(f"{found['itk']:8} {name}")


main()
