"""Points in a room: what the drawings of both kinds of rooms share."""

import numpy as np

Point = tuple[float, float, float]


def point(values: np.ndarray) -> Point:
    """Coordinates (3,), in m, to a tenth of a millimetre."""
    x, y, z = (round(float(value), 4) for value in values)
    return x, y, z


def directions(K: int, rng: np.random.Generator) -> np.ndarray:
    """K unit vectors, uniform on the sphere, (K, 3)."""
    vectors = rng.standard_normal((K, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def closest(points: np.ndarray) -> float:
    """Least distance between two of the points (K, 3)."""
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    return float(distances[np.triu_indices(len(points), 1)].min())
