"""Writes references for the comparison of two methods over cases: SciPy's Wilcoxon signed-rank test (exact without ties, by all
permutations of signs with ties, normal for many cases) and its percentile bootstrap, and statsmodels' correction by Holm.

Python 3.11, numpy and scipy of the versions that the file records.
"""
import json
import pathlib

import numpy as np
import scipy
import scipy.stats
import statsmodels
from scipy.stats import PermutationMethod, bootstrap, wilcoxon
from statsmodels.stats.multitest import multipletests

rng = np.random.default_rng(6)


def case(name, differences, method, interval=True):
    differences = np.asarray(differences, dtype=float)
    p = wilcoxon(differences, method=method, correction=False).pvalue
    low_high = None
    if interval:
        found = bootstrap((differences,), np.mean, n_resamples=200_000, method="percentile", random_state=1).confidence_interval
        low_high = [found.low, found.high]
    return {"name": name, "differences": differences.tolist(), "p": float(p), "interval": low_high}


every_sign = PermutationMethod(n_resamples=np.inf)
cases = [
    case("six cases, all one way", [0.01, 0.02, 0.005, 0.03, 0.011, 0.04], "exact"),
    case("twelve cases", rng.normal(0.01, 0.02, 12), "exact"),
    case("forty cases", rng.normal(0.002, 0.02, 40), "exact"),
    case("ties and zeros", [1, 1, -1, 2, 2, 0, 3, -2, 1, 0, 4], every_sign),
    case("ties only, evenly", [1, -1, 1, -1, 2, -2], every_sign),
    case("eighty cases", rng.normal(0.004, 0.02, 80), "asymptotic"),
    case("eighty cases with ties", rng.integers(-3, 5, 80), "asymptotic"),
    case("far out", rng.normal(0.05, 0.01, 120), "asymptotic"),
]
families = [[0.01, 0.04, 0.03, 0.005], [0.5, 0.6, 0.7], [0.02, 0.02, 0.02, 0.9], [0.04], [0.001, 0.2, 0.0004, 0.049, 0.013, 0.2]]
holm = [{"p": ps, "corrected": multipletests(ps, method="holm")[1].tolist()} for ps in families]
# Masked patches: of `total`, `masked` at random, `n` to a sub-volume. The entropy of their number there, and of a place given that number.
chance = []
for total, masked, n in [(64, 26, 8), (96, 38, 8), (216, 86, 64), (27, 11, 27), (8, 3, 1), (1000, 400, 8)]:
    counts = np.arange(n + 1)
    p = scipy.stats.hypergeom(total, masked, n).pmf(counts)
    places = [scipy.stats.entropy([count / n, 1 - count / n]) for count in counts]
    chance.append({"total": total, "masked": masked, "n": n, "number": float(scipy.stats.entropy(p)), "location": float(p @ places)})
versions = {"numpy": np.__version__, "scipy": scipy.__version__, "statsmodels": statsmodels.__version__}
file = pathlib.Path(__file__).parent / "paired.json"
file.write_text(json.dumps({"versions": versions, "cases": cases, "holm": holm, "chance": chance}) + "\n")
