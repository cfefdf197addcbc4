"""Makes reference.json: SALib's indices of the Ishigami function, at points that the test makes alike."""

import importlib.metadata
import json

import numpy as np
from SALib.analyze import sobol

SAMPLES, INPUTS = 256, 3


def uniform(state=1):
    """Knuth's linear congruential generator for MMIX."""
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield (state >> 11) / 2**53


def ishigami(points):
    x = np.pi * (2 * points - 1)
    return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


draw = uniform()
a, b = (
    np.array([[next(draw) for _ in range(INPUTS)] for _ in range(SAMPLES)]) for _ in range(2)
)
answers = [ishigami(a)]
for i in range(INPUTS):
    mixed = a.copy()
    mixed[:, i] = b[:, i]
    answers.append(ishigami(mixed))
answers.append(ishigami(b))
# SALib takes them sample by sample: A, each mixed one, B.
problem = {"num_vars": INPUTS, "names": ["x1", "x2", "x3"], "bounds": [[0, 1]] * INPUTS}
found = sobol.analyze(
    problem, np.array(answers).T.ravel(), calc_second_order=False, num_resamples=4000, seed=1
)
reference = {
    "salib": importlib.metadata.version("SALib"),
    "samples": SAMPLES,
    "first": found["S1"].tolist(),
    "first_half": found["S1_conf"].tolist(),
    "total": found["ST"].tolist(),
    "total_half": found["ST_conf"].tolist(),
}
with open("reference.json", "w") as file:
    json.dump(reference, file, indent=1)
    file.write("\n")
