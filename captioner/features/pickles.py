"""features.pkl, the file that the course works with: image id -> float32 vector.

Written so that `pickle.load` gives a dict of arrays under any NumPy, and read without trusting it.

Dimension key: N images, F width of a vector.
"""

import os
import pickle
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from captioner.errors import FeatureError
from captioner.features.reading import ROWS_AT_ONCE, RowIndex, name_some
from captioner.features.store import FeatureStore
from captioner.features.unpickling import PickledArray, load_pickled_dict
from captioner.files import replace_file

_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")  # some scripts keep them in the keys


class PickledFeatures:
    """Vectors out of a features.pkl, all in memory, read like a feature store.

    Args:
        source: names the file in errors.
        image_ids: image of each row; all different.
        vector_NF: float32 (N, F).
    """

    def __init__(self, source: str, image_ids: Sequence[str], vector_NF: np.ndarray) -> None:
        self.image_ids = tuple(image_ids)
        self.shapes: dict[str, tuple[int, ...]] = {"vector": vector_NF.shape[1:]}
        self._vector_NF = vector_NF
        self._index = RowIndex(source, self.image_ids, ("vector",))

    def read(self, kind: str, image_ids: Sequence[str]) -> np.ndarray:
        """Returns vectors, float32 (N, F), in the order of `image_ids`.

        Raises:
            FeatureError: `kind` is not "vector", or images have no features.
        """
        return self._vector_NF[self._index.find_rows(kind, image_ids)]

    def read_in_order(self, kind: str) -> Iterator[np.ndarray]:
        """Yields the vectors of all images in their order, float32 (some hundred, F)."""
        self._index.find_rows(kind, ())
        for first in range(0, len(self._vector_NF), ROWS_AT_ONCE):
            yield self._vector_NF[first : first + ROWS_AT_ONCE]


def write_features_pickle(path: Path, features: FeatureStore | PickledFeatures) -> None:
    """Writes the vectors of all images, in order, as one pickled dict: str -> float32 (F,).

    The bytes depend on the features alone. Memory does not grow with the number of images.

    Raises:
        FeatureError: there are no vectors.
        OSError: the disk is full or the like; `path` is as it was.
    """
    features.read("vector", ())  # no file is begun when there is nothing to write
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        leftover.unlink(missing_ok=True)  # of a writer that was killed
    with replace_file(path) as file:
        for chunk in _pickle_dict(features):
            file.write(chunk)


def read_features_pickle(path: Path) -> PickledFeatures:
    """Reads a features.pkl made by captioner or by the course's own script.

    Keys may end in an image suffix, which is dropped. Values have the shape (F,) or (1, F).

    Raises:
        UnsafePickleError: the file asks for something other than dicts, strings and arrays.
        FeatureError: the file is damaged, or does not map image ids to finite vectors of one
            width.
    """
    values = load_pickled_dict(path)
    if not values:
        raise FeatureError(f"{path} holds an empty dict. Expected image id -> array.")
    keys = list(values)
    image_ids = [_to_image_id(path, key) for key in keys]
    doubled = [image_id for image_id, count in Counter(image_ids).items() if count > 1]
    if doubled:
        raise FeatureError(f"{path} has two keys for the same image: {name_some(doubled)}")
    width = _to_vector(path, keys[0], values[keys[0]]).size
    vector_NF = np.empty((len(keys), width), np.float32)
    for row, key in enumerate(keys):
        vector_F = _to_vector(path, key, values.pop(key))  # popped: one copy in memory, not two
        if vector_F.size != width:
            raise FeatureError(
                f"{path}: {key!r} has {vector_F.size} numbers, and {keys[0]!r} has {width}. "
                "Expected vectors of one width, from one encoder."
            )
        vector_NF[row] = vector_F
    return PickledFeatures(str(path), image_ids, vector_NF)


def _to_image_id(path: Path, key: Any) -> str:
    if not isinstance(key, str):
        raise FeatureError(
            f"{path}: the key {str(key)[:80]} is a {type(key).__name__}. Expected image ids, "
            "such as '1000268201_693b08cb0e'."
        )
    stem, suffix = os.path.splitext(key)
    return stem if suffix.lower() in _IMAGE_SUFFIXES else key


def _to_vector(path: Path, key: str, value: Any) -> np.ndarray:
    array = value.array if isinstance(value, PickledArray) else None
    if array is None:
        raise FeatureError(
            f"{path}: {key!r} holds a {type(value).__name__}. Expected an array of numbers."
        )
    if array.size == 0 or array.shape not in ((array.size,), (1, array.size)):
        raise FeatureError(
            f"{path}: {key!r} holds an array of shape {array.shape}. Expected a vector: (F,), or "
            "(1, F) as the course's script makes it."
        )
    with np.errstate(over="ignore"):
        vector_F = array.reshape(-1).astype(np.float32)
    if not np.isfinite(vector_F).all():
        raise FeatureError(
            f"{path}: {key!r} holds NaN or infinity. Expected finite float32 numbers."
        )
    return vector_F


def _pickle_dict(features: FeatureStore | PickledFeatures) -> Iterator[bytes]:
    """Yields a pickle of protocol 4 in pieces.

    `pickle.dump` would need the whole dict, and remembers every object it wrote. Here what all
    arrays share is remembered in places 0 to 3 of the memo; each array is then made as NumPy
    makes it: reconstruct an empty one, set its state.
    """
    width = features.shapes["vector"][0]
    yield pickle.PROTO + bytes([4])
    yield from _remember_shared_parts(width)
    yield pickle.EMPTY_DICT
    image_ids = iter(features.image_ids)
    for vector_BF in features.read_in_order("vector"):
        yield pickle.MARK
        # vectors first, so that no image id is taken beyond them
        for vector_F, image_id in zip(vector_BF.astype("<f4", copy=False), image_ids, strict=False):
            yield _pickle_text(image_id)
            yield _pickle_array(vector_F)
        yield pickle.SETITEMS
    yield pickle.STOP


_RECONSTRUCT, _EMPTY, _SHAPE, _DTYPE = (pickle.BINGET + bytes([place]) for place in range(4))


def _remember_shared_parts(width: int) -> Iterator[bytes]:
    """Puts into the memo, and takes off the stack: function, its arguments, shape, dtype."""
    forget = pickle.MEMOIZE + pickle.POP
    # This name exists in every NumPy; `numpy._core` only since 1.26.
    yield _pickle_global("numpy.core.multiarray", "_reconstruct") + forget
    yield _pickle_global("numpy", "ndarray") + _pickle_int(0) + pickle.TUPLE1
    yield pickle.SHORT_BINBYTES + b"\x01b" + pickle.TUPLE3 + forget
    yield _pickle_int(width) + pickle.TUPLE1 + forget
    yield _pickle_global("numpy", "dtype") + _pickle_text("f4")
    yield pickle.NEWFALSE + pickle.NEWTRUE + pickle.TUPLE3 + pickle.REDUCE
    yield pickle.MARK + _pickle_int(3) + _pickle_text("<") + pickle.NONE * 3
    yield _pickle_int(-1) * 2 + _pickle_int(0) + pickle.TUPLE + pickle.BUILD + forget


def _pickle_array(vector_F: np.ndarray) -> bytes:
    content = vector_F.tobytes()
    size = struct.pack("<I", len(content))
    state = _pickle_int(1) + _SHAPE + _DTYPE + pickle.NEWFALSE + pickle.BINBYTES + size + content
    return _RECONSTRUCT + _EMPTY + pickle.REDUCE + pickle.MARK + state + pickle.TUPLE + pickle.BUILD


def _pickle_global(module: str, name: str) -> bytes:
    return _pickle_text(module) + _pickle_text(name) + pickle.STACK_GLOBAL


def _pickle_text(text: str) -> bytes:
    content = text.encode("utf-8", "surrogatepass")
    return pickle.BINUNICODE + struct.pack("<I", len(content)) + content


def _pickle_int(number: int) -> bytes:
    return pickle.BININT + struct.pack("<i", number)
