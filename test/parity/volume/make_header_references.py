"""NIfTI files whose headers are odd, for test/volume/nifti-headers.test.ts: files in `headers/`, what three readers make of
each in `headers.json`.

Made with Python 3.11 and nibabel, SimpleITK, MONAI and NumPy as `headers.json` names them; `python make_header_references.py`
writes every file anew, the same bytes each time. nibabel writes a sound file, and one or two fields of its bytes are
replaced. Of each reader: the affine to RAS mm as it understands the file (12 numbers), the voxels (x fastest), or the error.
"""

import json
import logging
import math
import shutil
import struct
import warnings
from pathlib import Path

import monai
import nibabel as nib
import numpy as np
import SimpleITK as sitk
from monai.transforms import LoadImage
from scipy.spatial.transform import Rotation

warnings.filterwarnings("ignore")
logging.getLogger("nibabel").setLevel(logging.CRITICAL)
sitk.ProcessObject.SetGlobalWarningDisplay(False)

HERE = Path(__file__).parent
OUT = HERE / "headers"
SIZE = (4, 3, 2)
NAN, INF = math.nan, math.inf

FIRST = {  # NIfTI-1: byte and struct format
    "pixdim": (76, "8f"), "vox_offset": (108, "f"), "scl_slope": (112, "f"), "scl_inter": (116, "f"), "xyzt_units": (123, "B"),
    "qform_code": (252, "h"), "sform_code": (254, "h"), "quatern": (256, "3f"), "srow": (280, "12f"),
}  # fmt: skip
SECOND = {  # NIfTI-2
    "pixdim": (104, "8d"), "vox_offset": (168, "q"), "scl_slope": (176, "d"), "scl_inter": (184, "d"), "xyzt_units": (500, "i"),
    "qform_code": (344, "i"), "sform_code": (348, "i"), "quatern": (352, "3d"), "srow": (400, "12d"),
}  # fmt: skip


def affine_of(angles, spacing, origin):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ np.diag(spacing)
    affine[:3, 3] = origin
    return affine


PLAIN = affine_of([6, -3, 11], (0.8, 0.9, 2.0), (10, -20, 30))
OTHER = affine_of([30, -3, 11], (0.8, 0.9, 2.0), (15, -5, 0))
NEAR = affine_of([6, -3, 11.5], (0.8, 0.9, 2.0), (10, -20, 30))
SHEARED = PLAIN.copy()
SHEARED[0, 2] += 0.3


def sound(affine, second, big):
    cls = nib.Nifti2Image if second else nib.Nifti1Image
    header = (nib.Nifti2Header if second else nib.Nifti1Header)(endianness=">" if big else "<")
    values = np.arange(np.prod(SIZE), dtype=np.int16).reshape(SIZE, order="F") * 7 - 50
    header.set_data_dtype(np.int16)
    image = cls(values, affine, header)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    image.header.set_xyzt_units("mm", "sec")
    return image


def write(name, affine=PLAIN, second=False, big=False, **fields):
    path = OUT / f"{name}.nii"
    nib.save(sound(affine, second, big), path)
    content = bytearray(path.read_bytes())
    for field, value in fields.items():
        offset, form = (SECOND if second else FIRST)[field]
        values = np.atleast_1d(value).ravel().tolist()
        whole = form[-1] in "Bhiq"
        struct.pack_into((">" if big else "<") + form, content, offset, *[int(v) if whole else v for v in values])
    path.write_bytes(content)
    return path


def rows(affine):
    return [float(n) if np.isfinite(n) else None for n in np.asarray(affine, dtype=np.float64)[:3].ravel()]


def voxels(array):
    return [float(n) if np.isfinite(n) else None for n in np.asarray(array, dtype=np.float64).ravel(order="F")]


def by_nibabel(path):
    image = nib.load(path)
    return {"affine": rows(image.affine), "voxels": voxels(image.dataobj)}


def by_itk(path):
    image = sitk.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) @ np.diag(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return {"affine": rows(np.diag([-1, -1, 1, 1]) @ affine), "voxels": voxels(sitk.GetArrayFromImage(image).transpose())}


def by_monai(path):
    image = LoadImage(image_only=True)(path)
    return {"affine": rows(image.affine.numpy()), "voxels": voxels(image.numpy())}


def attempt(read, path):
    try:
        return read(path)
    except Exception as error:
        said = str(error).replace(f"{HERE}/", "").strip().splitlines()[-1].split("(0x")[0][:160]
        return {"error": f"{type(error).__name__}: {said}"}


def files():
    pixels = lambda *spacing, qfac=1: (qfac, *spacing, 1, 1, 1, 1)
    for kind, second, big in (("", False, False), ("-be", False, True), ("-2", True, False), ("-2-be", True, True)):
        yield write(f"plain{kind}", second=second, big=big)
        for unit, code in (("metres", 1), ("micrometres", 3), ("unknown-unit", 0)):
            yield write(f"{unit}{kind}", second=second, big=big, xyzt_units=code)
    yield write("micrometres-seconds", xyzt_units=3 + 16)
    yield write("micrometres-qform", xyzt_units=3, sform_code=0)
    yield write("micrometres-neither", xyzt_units=3, sform_code=0, qform_code=0)
    yield write("undefined-unit", xyzt_units=5)
    for form, codes in (("sform", {}), ("qform", {"sform_code": 0}), ("neither", {"sform_code": 0, "qform_code": 0})):
        yield write(f"pixdim-0-{form}", pixdim=pixels(0.8, 0, 2), **codes)
        yield write(f"pixdim-nan-{form}", pixdim=pixels(0.8, 0.9, NAN), **codes)
        yield write(f"pixdim-inf-{form}", pixdim=pixels(INF, 0.9, 2), **codes)
        yield write(f"pixdim-negative-{form}", pixdim=pixels(-0.8, 0.9, 2), **codes)
    yield write("pixdim-0-qform-2", second=True, pixdim=pixels(0.8, 0, 2), sform_code=0)
    yield write("neither", sform_code=0, qform_code=0)
    yield write("sform-not-pixdim", pixdim=pixels(1.6, 1.8, 4))
    yield write("sform-not-pixdim-alone", pixdim=pixels(0.8, 0.9, 2.5), qform_code=0)
    yield write("sform-not-qform", srow=OTHER[:3], sform_code=2)
    yield write("sform-not-qform-same-code", srow=OTHER[:3])
    yield write("sform-not-qform-half-degree", srow=NEAR[:3])
    yield write("sform-not-qform-be", big=True, srow=OTHER[:3], sform_code=2)
    yield write("sform-not-qform-2", second=True, srow=OTHER[:3], sform_code=2)
    yield write("sform-moved", srow=(PLAIN + np.array([[0, 0, 0, 0.1]] * 4))[:3])
    yield write("sform-flipped", srow=(PLAIN @ np.diag([-1, 1, 1, 1]))[:3])
    yield write("sform-sheared", srow=SHEARED[:3], pixdim=pixels(*np.linalg.norm(SHEARED[:3, :3], axis=0)))
    yield write("sform-zero", srow=np.zeros(12))
    yield write("sform-nan", srow=np.full(12, NAN))
    yield write("quaternion-too-long", quatern=(0.9, 0.9, 0.9), sform_code=0)
    yield write("quaternion-nan", quatern=(NAN, 0, 0), sform_code=0)
    yield write("quaternion-too-long-sform", quatern=(0.9, 0.9, 0.9))
    for slope, inter in (
        (2, 5), (NAN, NAN), (0, 0), (NAN, 0), (NAN, 5), (2, NAN), (0, 5), (0, NAN), (INF, 5), (2, INF),
    ):  # fmt: skip
        yield write(f"slope-{slope}-intercept-{inter}", scl_slope=slope, scl_inter=inter)
    yield write("slope-2-intercept-nan-2", second=True, scl_slope=2, scl_inter=NAN)
    yield write("offset-0", vox_offset=0)
    yield write("offset-0-2", second=True, vox_offset=0)
    yield write("offset-100", vox_offset=100)
    yield write("offset-nan", vox_offset=NAN)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    readers = {"nibabel": by_nibabel, "itk": by_itk, "monai": by_monai}
    references = {path.name: {name: attempt(read, path) for name, read in readers.items()} for path in files()}
    versions = {
        "nibabel": nib.__version__,
        "SimpleITK": sitk.Version.VersionString(),
        "monai": monai.__version__,
        "numpy": np.__version__,
    }
    lines = [f'  "{name}": {json.dumps(found)}' for name, found in references.items()]
    text = ",\n".join(lines)
    (HERE / "headers.json").write_text(f'{{\n"versions": {json.dumps(versions)},\n"references": {{\n{text}\n}}}}\n')


main()
