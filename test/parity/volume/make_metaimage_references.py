"""MetaImage files whose flags are spelled in every way, for test/volume/metaimage-flags.test.ts: files in `metaimage/`, what
SimpleITK reads from each in `metaimage.json`.

Made with Python 3.11 and SimpleITK and NumPy as `metaimage.json` names them; `python make_metaimage_references.py` writes every
file anew, the same bytes each time. `itk` is null where SimpleITK refuses a file or takes a spelling such as "Yes" for false;
`values` is then what was written.
"""

import json
import shutil
import zlib
from pathlib import Path

import numpy as np
import SimpleITK as sitk

sitk.ProcessObject.SetGlobalWarningDisplay(False)

HERE = Path(__file__).parent
OUT = HERE / "metaimage"
TYPES = {"i2": "MET_SHORT", "u2": "MET_USHORT", "i4": "MET_INT", "f4": "MET_FLOAT", "u1": "MET_UCHAR", "f8": "MET_DOUBLE"}
DATA, ELEMENT = "BinaryDataByteOrderMSB", "ElementByteOrderMSB"


def write(name, order, big, dtype="i2", channels=1, local="LOCAL", compressed=None, binary="BinaryData = True"):
    """`order`: the line or lines of the byte order; `compressed`: the line that says so."""
    values = (np.arange(24 * channels) * 301 % 251 + 1).astype((">" if big else "<") + dtype)
    content = zlib.compress(values.tobytes()) if compressed else values.tobytes()
    own = name.endswith(".mha")
    lines = ["ObjectType = Image", "NDims = 3", binary, *order]
    lines += [compressed, f"CompressedDataSize = {len(content)}"] if compressed else []
    lines += ["TransformMatrix = 1 0 0 0 0.6 0.8 0 -0.8 0.6", "Offset = 1 -2 3", "ElementSpacing = 0.5 1.5 2.5"]
    lines += ["DimSize = 4 3 2"] + ([f"ElementNumberOfChannels = {channels}"] if channels > 1 else [])
    lines += [f"ElementType = {TYPES[dtype]}", f"ElementDataFile = {local if own else Path(name).stem + '.raw'}", ""]
    path = OUT / name
    path.write_bytes("\n".join(lines).encode() + (content if own else b""))
    if not own:
        path.with_suffix(".raw").write_bytes(content)
    written = values.reshape(24, channels).T.ravel().astype(float).tolist()
    try:
        read = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).reshape(24, channels).T.ravel().astype(float).tolist()
    except RuntimeError:
        read = None
    return path.name, {"itk": read if read == written else None, "values": written}


def files():
    for key in (DATA, ELEMENT):
        for text in ("True", "TRUE", "true", "T", "1", "tRuE", "Yes", "YES", "yes", "on"):
            yield write(f"{key}-{text}.mha", [f"{key} = {text}"], True)
        for text in ("False", "FALSE", "false", "F", "0", "No", "off"):
            yield write(f"{key}-{text}.mha", [f"{key} = {text}"], False)
        for dtype in TYPES:
            yield write(f"{key}-{dtype}.mha", [f"{key} = True"], True, dtype)
        yield write(f"{key}-channels.mha", [f"{key} = True"], True, channels=3)
        yield write(f"{key}-beside.mhd", [f"{key} = True"], True)
        yield write(f"{key}-colon.mha", [f"{key}: True"], True)
        yield write(f"{key}-no-blanks.mha", [f"{key}=True"], True)
        yield write(f"{key.lower()}-lower.mha", [f"{key.lower()} = True"], True)
        yield write(f"{key}-compressed.mha", [f"{key} = True"], True, compressed="CompressedData = True")
    yield write("both.mha", [f"{DATA} = True", f"{ELEMENT} = 1"], True)
    yield write("neither.mha", [], False)
    for local in ("LOCAL", "Local", "local", "LoCaL"):
        yield write(f"data-{local}.mha", [f"{DATA} = False"], False, local=local)
        if local != "LoCaL":
            yield write(f"data-{local}-channels.mha", [f"{DATA} = False"], False, local=local, channels=3)
    for text in ("TRUE", "true", "1", "Yes"):
        yield write(f"compressed-{text}.mha", [], False, compressed=f"CompressedData = {text}")
        yield write(f"binary-{text}.mha", [], False, binary=f"BinaryData = {text}")


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    references = dict(files())
    versions = {"SimpleITK": sitk.Version.VersionString(), "numpy": np.__version__}
    lines = ",\n".join(f'  "{name}": {json.dumps(found)}' for name, found in references.items())
    (HERE / "metaimage.json").write_text(f'{{\n"versions": {json.dumps(versions)},\n"references": {{\n{lines}\n}}}}\n')


main()
