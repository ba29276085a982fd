"""The measurement of benchmarks/metrics.mjs by MONAI: HD95 of the same pair of ellipsoids, in one thread."""

import json
import resource
import sys
import time

import monai
import numpy as np
import scipy
import torch
from monai.metrics import compute_hausdorff_distance

torch.set_num_threads(1)
job = json.loads(sys.argv[1])
size, spacing = job["size"], job["spacing"]


def ellipsoid(centre, radii):
    axes = np.ogrid[tuple(slice(n) for n in size)]
    return sum(((axis - c * n) / (r * n)) ** 2 for axis, n, c, r in zip(axes, size, centre, radii)) <= 1


# One channel, uint8: the least that the function takes.
prediction = torch.from_numpy(ellipsoid((0.51, 0.5, 0.49), (0.4, 0.36, 0.4)).astype(np.uint8))[None, None]
reference = torch.from_numpy(ellipsoid((0.5, 0.5, 0.5), (0.4, 0.38, 0.38)).astype(np.uint8))[None, None]
start, cpu_start = time.perf_counter(), time.process_time()
hd95 = compute_hausdorff_distance(prediction, reference, include_background=True, percentile=95, spacing=spacing).item()
seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
versions = {"monai": monai.__version__, "torch": torch.__version__, "numpy": np.__version__, "scipy": scipy.__version__}
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"hd95": hd95, "seconds": seconds, "cpuSeconds": cpu_seconds, "peakBytes": peak, "versions": versions}))
