"""Writes reference.json beside this file; see README.md there."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests

rng = np.random.default_rng(3)


def case(clusters):
    cluster = np.repeat(np.arange(clusters), rng.integers(1, 6, clusters))
    size = len(cluster)
    weight = rng.integers(1, 9, size) / 2
    lean = rng.normal(0.3, 0.3, clusters)[cluster]
    baseline, arm = (np.clip(rng.normal(m, 0.3, size), 0, 1).round(3) for m in (0.3, lean))
    record = {"cluster": cluster.tolist(), "weight": weight.tolist()}
    record |= {"baseline": baseline.tolist(), "arm": arm.tolist()}

    def mean(values):
        # With one parameter, statsmodels' correction is C / (C - 1), as ours.
        fit = sm.WLS(values, np.ones(size), weights=weight)
        return fit.fit(cov_type="cluster", cov_kwds={"groups": cluster}, use_t=True)

    rate = mean(arm)
    record["rate"] = [rate.params[0], rate.bse[0]]
    difference = mean(arm - baseline)
    record["difference"] = [difference.params[0], *difference.conf_int(0.1)[0]]
    totals = np.array([(weight * (arm - baseline))[cluster == c].sum() for c in range(clusters)])
    if clusters <= 12:
        sums = np.abs([np.dot(s, totals) for s in product([-1, 1], repeat=clusters)])
        record["p"] = float(np.mean(sums >= abs(totals.sum()) - 1e-12))
    else:
        test = stats.permutation_test(
            (totals,), np.sum, permutation_type="samples", n_resamples=400_000, rng=rng)
        record["p"] = test.pvalue
    return record


p = [0.01, 0.04, 0.03, 0.005, 0.5, 0.2]
reference = {
    "cases": [case(clusters) for clusters in (2, 5, 12, 40)],
    "t_975": {d: stats.t.ppf(0.975, d) for d in (1, 2, 4, 11, 39, 1000)},
    "holm": {"p": p, "adjusted": multipletests(p, method="holm")[1].tolist()},
}
(Path(__file__).parent / "reference.json").write_text(json.dumps(reference, indent=1) + "\n")
