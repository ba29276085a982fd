"""Writes session-configs.json: what TensorFlow's own messages serialise for the settings of a session.

    python make_session_references.py        (with tensorflow-cpu)
"""

import json
from pathlib import Path

import tensorflow
from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2


def session(threads: int, growth: bool, share: "float | None", rewrites: bool) -> dict:
    config = config_pb2.ConfigProto(inter_op_parallelism_threads=1, intra_op_parallelism_threads=threads)
    config.gpu_options.SetInParent()
    if growth:
        config.gpu_options.allow_growth = True
    if share is not None:
        config.gpu_options.per_process_gpu_memory_fraction = share
    rewrite = config.graph_options.rewrite_options
    if rewrites:
        rewrite.constant_folding = rewriter_config_pb2.RewriterConfig.OFF
        rewrite.arithmetic_optimization = rewriter_config_pb2.RewriterConfig.OFF
        rewrite.meta_optimizer_iterations = rewriter_config_pb2.RewriterConfig.ONE
    else:
        rewrite.disable_meta_optimizer = True
    settings = {"memoryGrowth": growth, **({} if share is None else {"memoryShare": share})}
    return {"threads": threads, "settings": settings, "rewrites": rewrites, "config": config.SerializeToString(deterministic=True).hex()}


cases = [
    session(*case)
    for case in (
        (0, False, None, False),
        (0, False, None, True),
        (2, True, None, True),
        (300, True, 0.5, True),
        (1, False, 0.1, False),
        (8, True, 0.9, True),
    )
]
reference = {"tensorflow": tensorflow.__version__, "sessions": cases}
Path(__file__).with_name("session-configs.json").write_text(json.dumps(reference, indent=1) + "\n")
