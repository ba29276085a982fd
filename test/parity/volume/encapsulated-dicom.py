"""Makes a slice in the transfer syntaxes whose pixels have no plain length, and what pydicom reads of them.

Run with pydicom, numpy and pylibjpeg-openjpeg installed: python test/parity/volume/encapsulated-dicom.py
"""

import json
import pathlib

import numpy
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

folder = pathlib.Path(__file__).parent / "encapsulated-dicom"
values = numpy.random.default_rng(3).integers(0, 2000, (64, 48)).astype(numpy.uint16)
values[:50, :30] = 7


def slice_of():
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = "1.2.3.4"
    ds.SeriesInstanceUID = "1.2.3"
    ds.StudyInstanceUID = "1.2"
    ds.Modality = "CT"
    ds.ImagePositionPatient = [0, 0, 0]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [1, 1]
    ds.SliceThickness = 2
    ds.Rows, ds.Columns = values.shape
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit = 15
    ds.PixelRepresentation = 0
    ds.RescaleSlope, ds.RescaleIntercept = 1, -1000
    ds.PixelData = values.tobytes()
    return ds


def save(name, ds):
    (folder / name).mkdir(parents=True, exist_ok=True)
    file = folder / name / "slice.dcm"
    pydicom.dcmwrite(file, ds, enforce_file_format=True)
    read = pydicom.dcmread(file)
    assert (read.pixel_array == values).all(), name
    return int(read.pixel_array.sum(dtype=numpy.int64)) - 1000 * values.size


sums = {}
for name, syntax in (("rle", RLELossless), ("jpeg2000", JPEG2000Lossless)):
    ds = slice_of()
    ds.compress(syntax, generate_instance_uid=False)
    sums[name] = save(name, ds)
ds = slice_of()
ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
sums["deflated"] = save("deflated", ds)
(folder / "sums.json").write_text(json.dumps({"pydicom": pydicom.__version__, "sums": sums}, indent=1) + "\n")
