"""Reference volumes for test/volume: inputs as NIfTI files, expected results as JSON beside them.

Made with Python 3.11 or later and nibabel 5.4.2, SimpleITK 2.5.7, MONAI 1.6.1, SciPy and NumPy as `versions.json` names
them; `python make_volume_references.py` writes every file anew. Nothing is drawn at random without a seed.

Which reference answers for what:
  reading      nibabel
  orientation  nibabel's orientation functions and MONAI's Orientation (asserted equal here)
  spacing      MONAI's Spacing with border padding, linear and nearest
  grid         SimpleITK's ResampleImageFilter (linear, nearest) inside the image; SciPy's map_coordinates with
               clamped coordinates everywhere
"""

import base64
import itertools
import json
from pathlib import Path

import monai
import nibabel as nib
import numpy as np
import scipy
import SimpleITK as sitk
from monai.transforms import Orientation, Spacing
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

HERE = Path(__file__).parent


def encode(values):
    """Float32, little-endian, x fastest, base64."""
    return base64.b64encode(np.asarray(values, dtype="<f4").tobytes(order="F")).decode()


def rows(affine):
    return [float(n) for n in np.asarray(affine)[:3].ravel()]


def write_json(name, content):
    (HERE / name).write_text(json.dumps(content, indent=2) + "\n")


def smooth_volume(size, seed):
    """Blobs over a ramp: int16 values with structure at several scales."""
    rng = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, n) for n in size], indexing="ij")
    volume = 200 * x - 150 * y + 90 * z + 400 * np.exp(-4 * (x**2 + (y - 0.2) ** 2 + z**2))
    return np.round(volume + rng.normal(0, 60, size)).astype(np.int16)


def label_volume(size):
    x, y, z = np.meshgrid(*[np.arange(n) for n in size], indexing="ij")
    return ((x // 3) + 2 * (y // 4) + 3 * (z // 2)).astype(np.uint8) % 5


def affine_of(matrix, spacing, origin):
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(matrix) @ np.diag(spacing)
    affine[:3, 3] = origin
    return affine


ROTATION = Rotation.from_euler("xyz", [17, -11, 23], degrees=True).as_matrix()
PERMUTATION = np.array([[0, 0, 1], [-1, 0, 0], [0, 1, 0]])
GEOMETRIES = {
    "plain": affine_of(np.eye(3), [1, 1, 1], [0, 0, 0]),
    "flipped": affine_of(np.diag([-1, 1, -1]), [1.1, 0.9, 1.5], [12, -7, 30]),
    "permuted": affine_of(PERMUTATION, [0.8, 1.2, 2.0], [-5, 40, 3]),
    "oblique": affine_of(ROTATION, [1.0, 1.3, 1.7], [-20, 11, 6]),
    "anisotropic": affine_of(np.diag([-1, -1, 1]), [0.7, 0.7, 5.0], [100, 90, -300]),
    "oblique-flipped": affine_of(ROTATION @ np.diag([-1, 1, 1]) @ PERMUTATION, [0.9, 0.9, 3.0], [8, -3, 50]),
}
SIZE = (8, 9, 7)


def save(name, data, affine):
    image = nib.Nifti1Image(data, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    nib.save(image, HERE / f"{name}.nii.gz")


def inputs():
    for seed, (name, affine) in enumerate(GEOMETRIES.items()):
        save(name, smooth_volume(SIZE, seed), affine)
        save(f"{name}-label", label_volume(SIZE), affine)


def coordinates(source_affine, target_affine, target_size):
    """Source index of every target voxel, [3, x, y, z]."""
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in target_size], indexing="ij")).reshape(3, -1)
    world = target_affine @ np.vstack([grid, np.ones(grid.shape[1])])
    return (np.linalg.inv(source_affine) @ world)[:3].reshape(3, *target_size)


def clamped(at, size):
    return np.stack([np.clip(c, 0, n - 1) for c, n in zip(at, size)])


def distance_from_tie(at, size):
    """Smallest distance of a clamped coordinate from a half, over the axes."""
    at = clamped(at, size)
    return np.abs(at - np.floor(at) - 0.5).min(axis=0)


def spacing_cases():
    targets = {"coarse": (1.5, 1.5, 2.0), "fine": (0.8, 0.7, 1.1), "mixed": (2.1, 0.6, 1.0)}
    cases = []
    for name, (label, target) in itertools.product(GEOMETRIES, targets.items()):
        image = nib.load(HERE / f"{name}.nii.gz")
        data = np.asarray(image.dataobj)
        # The affine in float64, not as the file rounds it: rounded, an oblique one makes MONAI's corner search (absolute
        # tolerance 1e-8) fail and fall back to aligning centres, so that its grid would hang on rounding errors.
        tensor = monai.data.MetaTensor(data[None].astype(np.float64), affine=GEOMETRIES[name])
        linear = Spacing(target, mode="bilinear", padding_mode="border", dtype=np.float64)(tensor)
        labels = np.asarray(nib.load(HERE / f"{name}-label.nii.gz").dataobj)
        label_tensor = monai.data.MetaTensor(labels[None].astype(np.float64), affine=GEOMETRIES[name])
        nearest = Spacing(target, mode="nearest", padding_mode="border", dtype=np.float64)(label_tensor)
        new_affine = linear.affine.numpy()
        at = coordinates(GEOMETRIES[name], new_affine, linear.shape[1:])
        cases.append(
            {
                "input": name,
                "target": label,
                "spacing": target,
                "size": list(linear.shape[1:]),
                "affine": rows(new_affine),
                "linear": encode(linear[0].numpy()),
                "nearest": encode(nearest[0].numpy()),
                "tieDistance": encode(distance_from_tie(at, data.shape)),
            }
        )
    for target in targets:
        write_json(f"spacing-{target}.json", [case for case in cases if case["target"] == target])


def simpleitk_resample(source, size, affine, interpolator):
    """Resamples to a grid given in RAS; SimpleITK's own axes are LPS."""
    lps = np.diag([-1.0, -1.0, 1.0]) @ affine[:3]
    spacing = np.linalg.norm(lps[:, :3], axis=0)
    resample = sitk.ResampleImageFilter()
    resample.SetSize([int(n) for n in size])
    resample.SetOutputSpacing(spacing.tolist())
    resample.SetOutputDirection((lps[:, :3] / spacing).ravel().tolist())
    resample.SetOutputOrigin(lps[:, 3].tolist())
    resample.SetInterpolator(interpolator)
    resample.SetOutputPixelType(sitk.sitkFloat64)
    return np.transpose(sitk.GetArrayFromImage(resample.Execute(source)))


def grid_cases():
    pairs = [
        ("plain", "oblique"), ("oblique", "plain"), ("flipped", "oblique-flipped"),
        ("anisotropic", "plain"), ("permuted", "flipped"), ("oblique", "oblique-flipped"),
    ]  # fmt: skip
    cases = []
    for source_name, direction_name in pairs:
        path = str(HERE / f"{source_name}.nii.gz")
        image, labels = nib.load(path), np.asarray(nib.load(HERE / f"{source_name}-label.nii.gz").dataobj)
        data = np.asarray(image.dataobj)
        # The other input's directions and spacing, centred on this one's centre, so that the two overlap.
        affine, size = GEOMETRIES[direction_name].copy(), (7, 6, 8)
        affine[:3, :3] *= 0.8
        centre = (image.affine @ [*((np.array(SIZE) - 1) / 2), 1])[:3]
        affine[:3, 3] = centre - affine[:3, :3] @ ((np.array(size) - 1) / 2)
        at = coordinates(image.affine, affine, size)
        inside = np.all([(c >= 1e-3) & (c <= n - 1 - 1e-3) for c, n in zip(at, data.shape)], axis=0)
        assert inside.sum() > 40, (source_name, direction_name, inside.sum())
        source = sitk.Cast(sitk.ReadImage(path), sitk.sitkFloat64)
        label_source = sitk.ReadImage(str(HERE / f"{source_name}-label.nii.gz"))
        cases.append(
            {
                "input": source_name,
                "target": direction_name,
                "size": size,
                "affine": rows(affine),
                "inside": encode(inside),
                "tieDistance": encode(distance_from_tie(at, data.shape)),
                "simpleitk": {
                    "linear": encode(simpleitk_resample(source, size, affine, sitk.sitkLinear)),
                    "nearest": encode(simpleitk_resample(label_source, size, affine, sitk.sitkNearestNeighbor)),
                },
                "scipy": {
                    "linear": encode(map_coordinates(data.astype(np.float64), clamped(at, data.shape), order=1)),
                    "nearest": encode(map_coordinates(labels.astype(np.float64), clamped(at, data.shape), order=0)),
                },
            }
        )
    write_json("grid.json", cases)


def orientation_cases():
    size = (2, 3, 4)
    data = np.arange(24, dtype=np.int16).reshape(size, order="F")
    cases = []
    for axes in itertools.permutations(range(3)):
        for signs in itertools.product([1, -1], repeat=3):
            directions = np.zeros((3, 3))
            for voxel_axis, (world, sign) in enumerate(zip(axes, signs)):
                directions[world, voxel_axis] = sign
            for tilt in (np.eye(3), ROTATION):
                affine = affine_of(tilt @ directions, [1.0, 2.0, 3.0], [10, -20, 30])
                turned = nib.as_closest_canonical(nib.Nifti1Image(data, affine))
                by_monai = Orientation("RAS", labels=(("L", "R"), ("P", "A"), ("I", "S")))(
                    monai.data.MetaTensor(data[None].astype(np.float32), affine=affine)
                )
                expected = np.asarray(turned.dataobj)
                assert np.array_equal(by_monai[0].numpy(), expected)
                assert np.allclose(by_monai.affine.numpy(), turned.affine, atol=1e-5)
                cases.append(
                    {
                        "code": "".join(nib.aff2axcodes(affine)),
                        "affine": rows(affine),
                        "size": list(expected.shape),
                        "turnedAffine": rows(turned.affine),
                        "data": encode(expected),
                    }
                )
    assert len({case["code"] for case in cases}) == 48
    write_json("orientation.json", {"size": size, "data": encode(data), "cases": cases})


def reading_cases():
    size = (3, 4, 5)
    affine, other = GEOMETRIES["oblique"], GEOMETRIES["oblique-flipped"]
    files = []

    def add(name, image):
        nib.save(image, HERE / name)
        loaded = nib.load(HERE / name)
        values = loaded.get_fdata()
        files.append(
            {
                "file": name,
                "size": list(values.shape[:3]),
                "channels": int(np.prod(values.shape[3:])),
                "affine": rows(loaded.affine),
                "data": encode(values),
            }
        )

    dtypes = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]
    for dtype in dtypes:
        rng = np.random.default_rng(len(dtype))
        low, high = (0, 250) if dtype.startswith("u") else (-120, 120)
        data = rng.uniform(low, high, size).astype(dtype)
        if dtype in ("uint32", "int32"):
            data = data * np.array(60000, dtype)
        for order, suffix in (("<", "le"), (">", "be")):
            for version, kind in ((1, nib.Nifti1Image), (2, nib.Nifti2Image)):
                header = kind.header_class(endianness=order)
                header.set_data_dtype(np.dtype(dtype).newbyteorder(order))
                image = kind(data, affine, header)
                compressed = ".gz" if (version == 1) == (order == "<") else ""
                add(f"{dtype}-{suffix}-{version}.nii{compressed}", image)

    data = np.random.default_rng(5).integers(-1000, 1000, size).astype(np.int16)
    scaled = nib.Nifti1Image(data, affine)
    scaled.header.set_slope_inter(0.25, -17.5)
    nib.save(scaled, HERE / "slope.nii")
    # nibabel rescales on saving: put the numbers in place by hand, so that they are what the file says.
    raw = bytearray((HERE / "slope.nii").read_bytes())
    raw[112:120] = np.array([0.25, -17.5], "<f4").tobytes()
    raw[352:] = data.tobytes(order="F")
    (HERE / "slope.nii").write_bytes(raw)
    add_existing = nib.load(HERE / "slope.nii")
    assert np.allclose(add_existing.get_fdata(), data * 0.25 - 17.5)
    files.append(
        {"file": "slope.nii", "size": size, "channels": 1, "affine": rows(add_existing.affine), "data": encode(add_existing.get_fdata())}
    )

    for name, sform, qform in (("sform", affine, None), ("qform", None, other), ("both", affine, other), ("neither", None, None)):
        image = nib.Nifti1Image(data, None)
        image.header.set_zooms((1.5, 2.5, 3.5))
        image.set_sform(sform, int(sform is not None))
        image.set_qform(qform, int(qform is not None))
        add(f"{name}.nii.gz", image)

    four = np.random.default_rng(6).normal(size=(*size, 2)).astype(np.float32)
    add("four-axes.nii.gz", nib.Nifti1Image(four, affine))
    extended = nib.Nifti1Image(data, affine)
    extended.header.extensions.append(nib.nifti1.Nifti1Extension(6, b"a comment of some length " * 40))
    add("extension.nii", extended)
    write_json("reading.json", files)


inputs()
spacing_cases()
grid_cases()
orientation_cases()
reading_cases()
write_json(
    "versions.json",
    {m.__name__: getattr(m, "__version__", "") for m in (monai, nib, np, scipy)} | {"SimpleITK": sitk.Version_VersionString()},
)
