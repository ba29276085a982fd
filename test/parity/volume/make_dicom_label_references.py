"""Labels in DICOM for test/volume/dicom-labels.test.ts: files in `dicom-labels/`, what others read from them in `dicom-labels.json`.

Made with Python 3.11, highdicom, pydicom, rt-utils, scikit-image, SimpleITK and NumPy as `dicom-labels.json` names them;
`python make_dicom_label_references.py` writes every file anew. Segmentations are written by highdicom, and their values
read by highdicom into the grid of the image. Contours are written by rt-utils, or here where it cannot; their values are
those of `skimage.draw.polygon`, where contours of a region are taken by turns, in the grid of the image.
"""

import base64
import json
import shutil
import warnings
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import SimpleITK as sitk
import skimage
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from skimage.draw import polygon

warnings.simplefilter("ignore")
HERE = Path(__file__).parent
OUT = HERE / "dicom-labels"
SIZE, SPACING, ORIGIN = (13, 11, 6), (0.8, 0.7, 2.5), np.array([-12.5, 33.0, 101.25])  # 13 x 11 bits are no whole bytes
ROOT = "1.2.826.0.1.3680043.8.498.66"
DIRECTIONS = {"axial": ((1, 0, 0), (0, 1, 0)), "coronal": ((1, 0, 0), (0, 0, -1)), "oblique": ((0.96, 0.28, 0), (-0.28, 0.96, 0))}
SQUARE = ((1, 0, 0), (0, 1, 0))


def image(name, spacing=SPACING):
    """A CT series, its slices in order."""
    row, column = (np.array(v, float) for v in DIRECTIONS.get(name, SQUARE))
    normal = np.cross(row, column)
    slices = []
    for k in range(SIZE[2]):
        ds = Dataset()
        ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", f"{ROOT}.{len(name)}.{k + 1}"
        ds.Modality, ds.StudyInstanceUID, ds.SeriesInstanceUID = "CT", f"{ROOT}.1", f"{ROOT}.{len(name)}"
        ds.FrameOfReferenceUID, ds.InstanceNumber, ds.SeriesNumber = f"{ROOT}.9", k + 1, 1
        ds.PatientID = ds.PatientName = ds.StudyID = ds.AccessionNumber = "P0"
        ds.PatientBirthDate = ds.PatientSex = ds.StudyDate = ds.StudyTime = ds.ReferringPhysicianName = ""
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = SIZE[1], SIZE[0], 16, 16, 15, 1
        ds.ImagePositionPatient = [round(float(n), 6) for n in ORIGIN + normal * SPACING[2] * k]
        ds.ImageOrientationPatient = [*map(float, row), *map(float, column)]
        ds.PixelSpacing, ds.SliceThickness = [spacing[1], spacing[0]], spacing[2]
        ds.RescaleSlope, ds.RescaleIntercept = 1, 0
        ds.PixelData = (np.arange(SIZE[0] * SIZE[1]) + 200 * k).astype(np.int16).tobytes()
        ds["PixelData"].VR = "OW"
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
        path = OUT / f"image-{name}" / f"IM{(k * 5) % 6}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        ds.save_as(path, enforce_file_format=True)
        slices.append(pydicom.dcmread(path))
    return slices


def segments(overlapping=False):
    """Masks [slice, row, column, segment]; none in the first and the last slice."""
    masks = np.zeros((SIZE[2], SIZE[1], SIZE[0], 3), np.uint8)
    masks[1:4, 2:6, 3:9, 0] = 1
    masks[2:5, 6:9, 1:5, 1] = 1
    masks[4, 3, 11, 2] = masks[1, 10, 12, 2] = 1
    if overlapping:
        masks[2, 5:7, 3:5, :2] = 1
    return masks


def described(number, name):
    return hd.seg.SegmentDescription(
        segment_number=number, segment_label=name, segmented_property_category=codes.SCT.Organ,
        segmented_property_type=codes.SCT.Liver, algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
    )  # fmt: skip


def segmentation(name, slices, masks, kind="BINARY", syntax=ExplicitVRLittleEndian, **how):
    seg = hd.seg.Segmentation(
        source_images=slices, pixel_array=masks, segmentation_type=kind,
        segment_descriptions=[described(k + 1, label) for k, label in enumerate(("Liver", "Spleen", "Tumour"))],
        series_instance_uid=f"{ROOT}.70", series_number=2, sop_instance_uid=f"{ROOT}.71.{len(name)}", instance_number=1,
        manufacturer="none", manufacturer_model_name="none", software_versions="0", device_serial_number="0",
        transfer_syntax_uid=syntax, **how,
    )  # fmt: skip
    seg.save_as(OUT / f"{name}.dcm")
    return OUT / f"{name}.dcm"


def by_highdicom(path, slices, number=None):
    """[slice, row, column] in the grid of the image."""
    seg = hd.seg.segread(path)
    uids = [ds.SOPInstanceUID for ds in slices]
    return seg.get_pixels_by_source_instance(
        uids, combine_segments=True, ignore_spatial_locations=False, assert_missing_frames_are_empty=True,
        segment_numbers=number, skip_overlap_checks=False,
    )  # fmt: skip


def to_patient(slices, points):
    """Column, row and slice to LPS mm."""
    row, column = (np.array(v, float) for v in np.reshape(slices[0].ImageOrientationPatient, (2, 3)))
    normal = np.cross(row, column)
    return [ORIGIN + row * SPACING[0] * c + column * SPACING[1] * r + normal * SPACING[2] * k for c, r, k in points]


def contours(name, slices, regions, kind="CLOSED_PLANAR", syntax=ExplicitVRLittleEndian):
    """`regions`: number and name to a list of contours, each (slice, [(column, row) ...])."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = "1.2.840.10008.5.1.4.1.1.481.3", f"{ROOT}.80.{len(name)}", "RTSTRUCT"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{ROOT}.1", f"{ROOT}.81"
    ds.StructureSetLabel = "drawn"
    ds.StructureSetROISequence, ds.ROIContourSequence = Sequence(), Sequence()
    for (number, label), drawn in regions.items():
        region, item = Dataset(), Dataset()
        region.ROINumber, region.ROIName, region.ROIGenerationAlgorithm = number, label, "MANUAL"
        region.ReferencedFrameOfReferenceUID = f"{ROOT}.9"
        item.ReferencedROINumber, item.ContourSequence = number, Sequence()
        for k, points in drawn:
            contour = Dataset()
            contour.ContourGeometricType, contour.NumberOfContourPoints = kind, len(points)
            contour.ContourData = [f"{n:.6f}" for p in to_patient(slices, [(*point, k) for point in points]) for n in p]
            item.ContourSequence.append(contour)
        ds.StructureSetROISequence.append(region)
        ds.ROIContourSequence.append(item)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.save_as(OUT / f"{name}.dcm", enforce_file_format=True)
    if all(k in range(SIZE[2]) for drawn in regions.values() for k, _ in drawn):
        return by_skimage(regions)


def by_skimage(regions):
    label = np.zeros(SIZE[::-1], np.uint8)
    for (number, _), drawn in regions.items():
        odd = np.zeros(SIZE[::-1], bool)
        for k, points in drawn:
            columns, rows = np.array(points, float).T
            inside = np.zeros(SIZE[1::-1], bool)
            inside[polygon(rows, columns, inside.shape)] = True
            odd[k] ^= inside
        assert not (label[odd] > 0).any() or number > 90, "regions overlap"
        label[odd] = number
    return label


def circle(c, r, radius, n=24):
    angle = np.arange(n) / n * 2 * np.pi
    return [(c + radius * np.cos(a), r + radius * np.sin(a)) for a in angle]


def rt_utils(name, slices, masks):
    """Written by rt-utils, whose contours run through the centres of voxels; the masks are what it was given. Pixels must be
    square: it takes PixelSpacing the other way round."""
    from rt_utils import RTStructBuilder

    rtstruct = RTStructBuilder.create_new(dicom_series_path=str(OUT / "image-square"))
    for k, label in enumerate(("Liver", "Spleen")):
        rtstruct.add_roi(mask=masks[..., k].transpose(1, 2, 0).astype(bool), name=label)
    rtstruct.ds.save_as(OUT / f"{name}.dcm")
    return sum(masks[..., k] * (k + 1) for k in range(2))


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    images = {name: image(name) for name in DIRECTIONS}
    axial, coronal, oblique = images["axial"], images["coronal"], images["oblique"]
    references = {}

    def keep(name, of, values, **more):
        references[name] = {"image": f"image-{of}", "values": base64.b64encode(np.asarray(values).astype("<f4").tobytes()).decode(), **more}

    for name, slices in images.items():
        path = segmentation(f"seg-{name}", slices, segments())
        keep(f"seg-{name}", name, by_highdicom(path, slices))
    path = segmentation("seg-with-empty-frames", axial, segments(), omit_empty_frames=False)
    keep("seg-with-empty-frames", "axial", by_highdicom(path, axial))
    path = segmentation("seg-implicit", axial, segments(), syntax=ImplicitVRLittleEndian)
    keep("seg-implicit", "axial", by_highdicom(path, axial))
    label = np.max(segments() * np.arange(1, 4, dtype=np.uint8), -1)
    path = segmentation("seg-labelmap", oblique, label, kind="LABELMAP")
    keep("seg-labelmap", "oblique", by_highdicom(path, oblique))
    path = segmentation("seg-reversed-order", axial[::-1], segments()[::-1])
    keep("seg-reversed-order", "axial", by_highdicom(path, axial))
    path = segmentation("seg-overlapping", axial, segments(True))
    keep("seg-overlapping", "axial", by_highdicom(path, axial, [2, 3]), needed=[2, 3])
    segmentation("seg-fractional", axial, segments().astype(float) * 0.5, kind="FRACTIONAL", max_fractional_value=100)

    hole = [(2, circle(6.3, 5.2, 4.1)), (2, circle(6.1, 5.4, 1.7)), (3, circle(6.3, 5.2, 3.3))]
    two = [(4, circle(2.6, 2.4, 1.9)), (4, circle(9.3, 7.6, 2.2)), (1, [(0.4, 0.3), (3.6, 0.2), (0.2, 4.7)])]
    regions = {(1, "Liver"): hole, (3, "Kidneys"): two}
    for name, slices in images.items():
        keep(f"contours-{name}", name, contours(f"contours-{name}", slices, regions))
    square = [(2, 3), (8, 3), (8, 7), (2, 7)]
    keep("contours-through-centres", "axial", contours("contours-through-centres", axial, {(2, "Box"): [(2, square), (3, [(1, 1)])]}))
    diamond = [(5, 2), (8, 5), (5, 8), (2, 5)]
    keep("contours-diamond", "axial", contours("contours-diamond", axial, {(4, "Diamond"): [(1, diamond)]}))
    keyhole = [(1, 1), (11, 1), (11, 9), (1, 9), (1, 5), (4.5, 5), (4.5, 6.5), (8.5, 6.5), (8.5, 3.5), (4.5, 3.5), (4.5, 5), (1, 5)]
    keep("contours-keyhole", "axial", contours("contours-keyhole", axial, {(7, "Ring"): [(0, keyhole)]}, syntax=ImplicitVRLittleEndian))
    star = [(6 + (5 if k % 2 else 1.4) * np.cos(k * np.pi / 5 + 0.1), 5 + (4.7 if k % 2 else 1.4) * np.sin(k * np.pi / 5 + 0.1)) for k in range(10)]
    keep("contours-star", "oblique", contours("contours-star", oblique, {(30, "Star"): [(5, star)]}))
    body = [(k, circle(6, 5, 5.4)) for k in range(6)]
    both = {(1, "Liver"): hole, (99, "Body"): body}
    contours("contours-overlapping", axial, both)
    keep("contours-overlapping", "axial", by_skimage({(1, "Liver"): hole}), needed=[1])
    contours("contours-between-slices", axial, {(1, "Liver"): [(2.5, circle(6.3, 5.2, 4.1))]})
    contours("contours-outside", axial, {(1, "Liver"): [(9, circle(6.3, 5.2, 4.1))]})
    contours("contours-points", axial, {(1, "Marker"): [(2, [(3, 3)])]}, kind="POINT")
    keep("contours-points", "axial", np.zeros(SIZE[::-1]))
    image("square", (0.8, 0.8, 2.5))
    keep("contours-rt-utils", "square", rt_utils("contours-rt-utils", axial, segments()))

    versions = {
        "highdicom": hd.__version__, "pydicom": pydicom.__version__, "scikit-image": skimage.__version__, "rt-utils": "1.2.7",
        "SimpleITK": sitk.Version.VersionString(), "numpy": np.__version__,
    }  # fmt: skip
    lines = ",\n".join(f'  "{name}": {json.dumps(found)}' for name, found in references.items())
    (HERE / "dicom-labels.json").write_text(f'{{\n"versions": {json.dumps(versions)},\n"references": {{\n{lines}\n}}}}\n')


main()
