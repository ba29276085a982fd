"""Takes libtensorflow and its C headers out of a TensorFlow wheel: extract-wheel.py WHEEL TARGET writes TARGET/lib and TARGET/include."""

import os
import shutil
import sys
import zipfile

LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")
HEADERS = "tensorflow/include/"


def destination(name: str, target: str) -> "str | None":
    if name.endswith("/"):
        return None
    if name.startswith(HEADERS):
        return os.path.join(target, "include", name[len(HEADERS) :])
    if name.startswith("tensorflow/") and name[len("tensorflow/") :] in LIBRARIES:
        return os.path.join(target, "lib", os.path.basename(name))
    return None


def main(wheel: str, target: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            path = destination(name, target)
            if path is None:
                continue
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(name) as source, open(path, "wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
