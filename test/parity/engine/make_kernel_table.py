"""Writes kernels-cuda.json: the kernels that TensorFlow's CUDA build registers for the ops of our graphs.

    python make_kernel_table.py tensorflow-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl

The wheel is the one of scripts/tensorflow-cuda.txt. Its library is asked by TF_GetAllRegisteredKernels and
TF_GetAllOpList, in a process of its own and without a GPU; tensorflow-cpu, which must be installed, reads the answers.
An op is written as its inputs, its outputs ("values*N": a list as long as attribute N) and its kernels for a GPU:
[device, {attribute: types}, arguments in host memory]. DEFAULT kernels are those of any device without one of its own.
"""

import ctypes
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# Ops of the graphs, and neighbours of them that a change may well bring.
OPS = """
Abs Add AddN AddV2 All Any ArgMax AssignVariableOp AvgPool3D AvgPool3DGrad BatchMatMul BatchMatMulV2 BiasAdd BiasAddGrad
Bitcast BitwiseXor Cast CollectiveBcastRecvV2 CollectiveBcastSendV2 CollectiveReduceV2 ConcatV2 Const Conv2D
Conv2DBackpropFilter Conv2DBackpropInput Conv3D Conv3DBackpropFilterV2
Conv3DBackpropInputV2 Cumsum Equal Erf EuclideanNorm Exp ExpandDims Fill FusedBatchNormGradV3 FusedBatchNormV3 GatherV2
Greater GreaterEqual Identity IsFinite IsInf IsNan L2Loss LeakyRelu LeakyReluGrad Less LessEqual Log Log1p LogSoftmax LogicalAnd
LogicalNot LogicalOr MatMul Max MaxPool3D MaxPool3DGrad Maximum Mean Min Minimum Mul Neg NoOp NotEqual OneHot OnesLike
Pack Pad PadV2 Placeholder Pow Prod RandomUniform Range ReadVariableOp RealDiv Reciprocal Relu Relu6 ReluGrad Reshape
ResourceApplyAdam Reverse ReverseV2 Round Rsqrt ScatterNd Select SelectV2 Shape Sigmoid Sign Slice Softmax Softplus
SparseSoftmaxCrossEntropyWithLogits Split SplitV Sqrt Square SquaredDifference Squeeze StatelessRandomUniform
StatelessRandomUniformFullInt StatelessRandomUniformInt StopGradient StridedSlice Sub Sum Tanh Tile Transpose Unpack
UnsortedSegmentSum VarHandleOp ZerosLike
""".split()

TYPES = {
    1: "float32", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 9: "int64", 10: "bool", 14: "bfloat16",
    17: "uint16", 20: "resource", 22: "uint32", 23: "uint64",
}  # fmt: skip


def main(wheel: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(wheel) as archive:
            for name in ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2"):
                archive.extract(f"tensorflow/{name}", folder)
            build = {}
            exec(archive.read("tensorflow/python/platform/build_info.py"), build)
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
        asked = [sys.executable, __file__, "--dump", os.path.join(folder, "tensorflow"), folder]
        subprocess.run(asked, check=True, env=environment)
        registered, defined = (Path(folder, name).read_bytes() for name in ("kernels", "ops"))

    # Not above: it loads another build of the library.
    from tensorflow.core.framework import kernel_def_pb2, op_def_pb2

    kernels = kernel_def_pb2.KernelList.FromString(registered).kernel
    ops = {op.name: op for op in op_def_pb2.OpList.FromString(defined).op}
    version = wheel.name.split("-")[1]
    table = {
        "library": {
            "wheel": wheel.name,
            "version": version,
            "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
            "cuda": build["build_info"]["cuda_version"],
            "computeCapabilities": build["build_info"]["cuda_compute_capabilities"],
            "registeredKernels": len(kernels),
        },
        "ops": {
            op: {
                "inputs": [argument(arg) for arg in ops[op].input_arg],
                "outputs": [argument(arg) for arg in ops[op].output_arg],
                "kernels": rows(kernel for kernel in kernels if kernel.op == op),
            }
            for op in OPS
        },
    }
    missing = [op for op, found in table["ops"].items() if not found["kernels"]]
    print(f"{len(kernels)} kernels; without one on a GPU: {missing}", file=sys.stderr)
    lines = ["{", f' "library": {json.dumps(table["library"])},', ' "ops": {']
    rows_of_ops = [f"  {json.dumps(op)}: {json.dumps(found, separators=(',', ':'))}" for op, found in table["ops"].items()]
    lines += [",\n".join(rows_of_ops), " }", "}"]
    Path(__file__).with_name("kernels-cuda.json").write_text("\n".join(lines) + "\n")


def argument(arg) -> str:
    return f"{arg.name}*{arg.number_attr}" if arg.number_attr else arg.name


def rows(kernels) -> list:
    """Kernels for a GPU as [device, {attribute: types}, host-memory arguments], those that differ in one attribute joined."""
    joined = {}
    for kernel in kernels:
        if kernel.device_type not in ("GPU", "DEFAULT") or kernel.label:
            continue
        allowed = {c.name: frozenset(c.allowed_values.list.type) for c in kernel.constraint}
        if any(c.allowed_values.list.ByteSize() and not c.allowed_values.list.type for c in kernel.constraint):
            raise SystemExit(f"{kernel.op} has a constraint that is no type: {kernel.constraint}")
        known = {name: types & TYPES.keys() for name, types in allowed.items()}
        if all(known.values()):
            key = (kernel.device_type, tuple(kernel.host_memory_arg))
            joined.setdefault(key, []).append(known)
    found = []
    for (device, host), constraints in joined.items():
        for attribute in sorted({name for constraint in constraints for name in constraint}):
            constraints = unite(constraints, attribute)
        found += [
            [device, {name: " ".join(TYPES[t] for t in sorted(types)) for name, types in sorted(c.items())}, list(host)]
            for c in constraints
        ]
    return sorted(found, key=json.dumps)


def unite(constraints: list, attribute: str) -> list:
    """Those that are alike but for one attribute's types, as one."""
    alike = {}
    for constraint in constraints:
        others = tuple(sorted((name, tuple(sorted(types))) for name, types in constraint.items() if name != attribute))
        alike.setdefault((others, attribute in constraint), []).append(constraint)
    return [
        {**group[0], **({attribute: frozenset().union(*(c[attribute] for c in group))} if has else {})}
        for (_, has), group in alike.items()
    ]


def dump(folder: str, target: str) -> None:
    """Writes the `KernelList` and the `OpList` of the library in a folder to files of another one."""

    class Buffer(ctypes.Structure):
        _fields_ = [("data", ctypes.c_void_p), ("length", ctypes.c_size_t), ("deallocator", ctypes.c_void_p)]

    ctypes.CDLL(f"{folder}/libtensorflow_framework.so.2", mode=ctypes.RTLD_GLOBAL)
    library = ctypes.CDLL(f"{folder}/libtensorflow_cc.so.2", mode=ctypes.RTLD_GLOBAL)
    library.TF_NewStatus.restype = ctypes.c_void_p
    library.TF_GetAllRegisteredKernels.restype = ctypes.POINTER(Buffer)
    library.TF_GetAllRegisteredKernels.argtypes = [ctypes.c_void_p]
    library.TF_GetAllOpList.restype = ctypes.POINTER(Buffer)
    for name, found in (
        ("kernels", library.TF_GetAllRegisteredKernels(library.TF_NewStatus()).contents),
        ("ops", library.TF_GetAllOpList().contents),
    ):
        Path(target, name).write_bytes(ctypes.string_at(found.data, found.length))


if __name__ == "__main__":
    dump(sys.argv[2], sys.argv[3]) if sys.argv[1] == "--dump" else main(Path(sys.argv[1]))
