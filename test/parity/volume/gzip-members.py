"""Makes NIfTI files whose gzip is unusual but valid, and what nibabel reads of them: gzip-members.json. Beside them,
compressed files of several channels, by SimpleITK.

Run with nibabel, numpy and SimpleITK installed: python test/parity/volume/gzip-members.py
"""

import gzip
import json
import pathlib
import struct
import zlib

import nibabel
import numpy
import SimpleITK

folder = pathlib.Path(__file__).parent / "gzip-members"
folder.mkdir(exist_ok=True)

values = numpy.random.default_rng(1).integers(-1000, 1000, (9, 8, 7)).astype(numpy.int16)
plain = nibabel.Nifti1Image(values, numpy.diag([1.5, 1.5, 2, 1])).to_bytes()


def member(content, header=b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"):
    raw = zlib.compressobj(6, zlib.DEFLATED, -15)
    data = raw.compress(content) + raw.flush()
    return header + data + struct.pack("<II", zlib.crc32(content), len(content))


def described():
    header = b"\x1f\x8b\x08" + bytes([2 | 4 | 8 | 16]) + b"\x00\x00\x00\x00\x00\xff"
    header += struct.pack("<H", 6) + b"BC\x02\x00\x00\x00" + b"scan.nii\x00" + b"a comment\x00"
    return header + struct.pack("<H", zlib.crc32(header) & 0xFFFF)


half = len(plain) // 2
files = {
    "one.nii.gz": gzip.compress(plain, mtime=0),
    "two.nii.gz": member(plain[:half]) + member(plain[half:]),
    "many.nii.gz": b"".join(member(plain[i : i + 100]) for i in range(0, len(plain), 100)) + member(b""),
    "described.nii.gz": member(plain, described()),
    "stored.nii.gz": gzip.compress(plain, compresslevel=0, mtime=0),
    "zeros-behind.nii.gz": member(plain) + bytes(512),
    "words-behind.nii.gz": member(plain) + b"not a member",
    "byte-behind.nii.gz": member(plain) + b"\x1f",
    "voxels-behind.nii.gz": member(plain + bytes(1000)),
}
sums = {}
for name, content in files.items():
    (folder / name).write_bytes(content)
    read = numpy.asanyarray(nibabel.load(folder / name).dataobj)
    assert (read == values).all()
    sums[name] = {"sum": int(read.sum(dtype=numpy.int64)), "first": int(read[0, 0, 0]), "last": int(read[-1, -1, -1])}
channels = numpy.random.default_rng(2).integers(0, 1000, (7, 8, 9, 2)).astype(numpy.int16)
for ending in ("mha", "nrrd"):
    SimpleITK.WriteImage(
        SimpleITK.GetImageFromArray(channels, isVector=True), str(folder / f"channels.{ending}"), useCompression=True
    )
(folder / "gzip-members.json").write_text(json.dumps({"nibabel": nibabel.__version__, "files": sums}, indent=1) + "\n")
