"""A drawn photograph and the features that an encoder with known weights must give for it.

The numbers come from `tests/doctor/golden/make_golden.py`.

Dimension key: F width of a vector, S recorded columns.
"""

import numpy as np

NUM_RECORDED = 40
TOLERANCE = 0.02  # of the largest value: libraries resize and multiply a little differently

# SHA-256 of the weights -> values of evenly spaced columns of the vector
# fmt: off
RECORDED: dict[str, tuple[float, ...]] = {
    "sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db": (
        0.000, 0.000, 0.000, 0.000, 0.000, 1.109, 0.000, 0.000, 0.025, 0.000, 0.000,
        0.005, 0.022, 0.000, 0.210, 0.000, 0.021, 0.930, 0.000, 0.000, 0.000, 0.535,
        0.000, 0.000, 0.000, 0.000, 2.136, 0.000, 0.000, 0.057, 0.000, 0.000, 0.000,
        1.301, 0.441, 0.000, 0.000, 0.000, 0.000, 0.015,
    ),
    "sha256:77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850": (
        0.000, 0.054, 0.012, 0.000, 0.000, 0.081, 0.000, 0.000, 0.000, 0.000, 0.000,
        0.000, 0.000, 0.000, 0.000, 0.000, 0.012, 0.000, 0.000, 0.000, 0.019, 0.000,
        0.009, 0.061, 0.000, 0.029, 0.000, 0.000, 0.000, 0.000, 0.016, 0.000, 0.000,
        0.000, 0.003, 0.000, 0.322, 0.000, 0.000, 0.025,
    ),
    "sha256:9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d": (
        0.190, 0.000, 0.043, 0.000, 0.000, 0.005, 0.000, 0.000, 0.000, 0.000, 0.296,
        0.000, 0.000, 0.000, 0.074, 1.048, 0.000, 0.000, 0.000, 0.326, 0.000, 1.308,
        0.000, 0.000, 0.000, 0.000, 0.000, 0.523, 0.007, 0.000, 0.000, 0.000, 0.000,
        0.000, 0.089, 0.000, 0.003, 0.000, 0.000, 0.516,
    ),
}
# fmt: on


def draw_photograph() -> np.ndarray:
    """Returns a picture with edges, gradients and colours, uint8 (240, 320, 3), RGB."""
    row_H1, column_1W = np.mgrid[0:240, 0:320]
    red = 255 * column_1W / 319
    green = 255 * row_H1 / 239
    blue = np.where((row_H1 - 120) ** 2 + (column_1W - 160) ** 2 < 80**2, 230, 40)
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def pick_columns(vector_F: np.ndarray) -> np.ndarray:
    """Returns the columns that are recorded, float (S,)."""
    return vector_F[:: max(1, len(vector_F) // NUM_RECORDED)][:NUM_RECORDED]


def compare(vector_F: np.ndarray, digest: str | None) -> float | None:
    """Returns the largest departure from the recorded values, as a share of the largest value.

    Returns:
        None where nothing is recorded for these weights.
    """
    recorded = RECORDED.get(digest) if digest is not None else None
    if recorded is None:
        return None
    departure = np.abs(pick_columns(vector_F) - np.array(recorded)).max()
    return float(departure / np.abs(recorded).max())
