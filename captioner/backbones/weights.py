"""Where an encoder's weights come from, and how they get into the network.

Sources: "imagenet" (a pip package, or the file that `keras.applications` downloads), a local
file (Keras `.h5` or `.weights.h5`, PyTorch `.pth`), or "random" with a seed. Finding out where
weights would come from is cheap: nothing is downloaded and no TensorFlow is loaded.
"""

import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from captioner.backbones.imagenet import describe_absence, download, find_download, find_in_package
from captioner.backbones.spec import (
    ApplicationWeights,
    BackboneSpec,
    DownloadedWeights,
    PipWeights,
    Preprocessing,
)
from captioner.backbones.trained import read_note
from captioner.errors import WeightsError
from captioner.files import hash_file

if TYPE_CHECKING:
    import keras
    import numpy as np

    Arrays = Mapping[str, np.ndarray]
    Converter = Callable[[str, Arrays], dict[str, np.ndarray]]

Digest = Callable[[Path], str]
TORCH_SUFFIXES = (".pth", ".pt")
KERAS_SUFFIXES = (".h5", ".hdf5")
NUM_LISTED = 8  # differences that an error names before it only counts


@dataclass(frozen=True, slots=True)
class WeightsOrigin:
    """Where weights come from, and what identifies them.

    Args:
        source: "imagenet", "file" or "random".
        path: the file, if it is on this machine.
        digest: "sha256:..." or "md5:..." of the file, or "keras.applications", which checks what
            it fetches; None for random weights.
        seed: of random weights; None for others.
        preprocessing: what these weights were trained to see.
        parts: where those of each network come from, for a joint encoder, whose `digest` names
            them all.
    """

    source: Literal["imagenet", "file", "random"]
    path: Path | None
    digest: str | None
    seed: int | None
    preprocessing: Preprocessing
    parts: tuple["WeightsOrigin", ...] = ()

    @property
    def is_here(self) -> bool:
        """Whether no download is needed."""
        if self.parts:
            return all(part.is_here for part in self.parts)
        return self.source == "random" or self.path is not None


def resolve_weights(
    spec: BackboneSpec, weights: str, seed: int = 0, *, digest: Digest = hash_file
) -> WeightsOrigin:
    """Says where weights come from; nothing is downloaded.

    Args:
        spec: the encoder.
        weights: "imagenet", "random" or a path.
        seed: of random weights.
        digest: computes the SHA-256 of a file; a cache can be given.

    Raises:
        WeightsError: the file does not exist or is of an unknown kind, or a package is missing.
    """
    if spec.parts:
        return _resolve_parts(spec, weights, seed, digest)
    if weights == "random":
        return WeightsOrigin("random", None, None, seed, spec.preprocessing)
    if weights == "imagenet":
        return _resolve_imagenet(spec, digest)
    path = Path(weights)
    _check_file(path)
    return WeightsOrigin("file", path, f"sha256:{digest(path)}", None, _file_recipe(spec, path))


def load_weights(
    model: "keras.Model",
    spec: BackboneSpec,
    origin: WeightsOrigin,
    *,
    without_classifier: bool = False,
) -> None:
    """Gives a freshly built network its weights, downloading them if need be.

    Args:
        model: what `spec.build()` made.
        spec: what it is.
        origin: where the weights come from.
        without_classifier: leave the last layer with weights as it is, because it is to tell
            other classes apart than the one that the weights were trained for.

    Raises:
        WeightsError: they cannot be had, are damaged, or belong to another network.
    """
    if spec.parts:
        for part, own in zip(spec.parts, origin.parts, strict=True):
            load_weights(model.get_layer(part.name), part, own)
        return
    if origin.source == "random":
        _draw_weights(model, 0 if origin.seed is None else origin.seed)
        return
    if isinstance(spec.imagenet, ApplicationWeights):
        from captioner.backbones import keras_applications

        keras_applications.load(model, spec, origin.path, without_classifier=without_classifier)
        return
    path = _fetch(spec, origin)
    arrays = _read_arrays(model, spec, path)
    classifier = _find_classifier(model) if without_classifier else None
    _assign(model, arrays, path, without=classifier)


def _fetch(spec: BackboneSpec, origin: WeightsOrigin) -> Path:
    """Returns the file; one in Keras' cache has been checked."""
    source = spec.imagenet
    if origin.source == "imagenet" and isinstance(source, DownloadedWeights):
        return download(spec, source)
    if origin.path is None:
        raise WeightsError(f"The weights of {spec.title} are not downloaded but installed.")
    return origin.path


def _find_classifier(model: "keras.Model") -> str:
    return next(str(layer.name) for layer in reversed(model.layers) if layer.weights)


def _resolve_parts(spec: BackboneSpec, weights: str, seed: int, digest: Digest) -> WeightsOrigin:
    if weights not in ("imagenet", "random"):
        raise WeightsError(
            f"The weights of several networks, {spec.name}, are 'imagenet' or 'random', not one "
            f"file. Received: {weights}"
        )
    parts = tuple(
        resolve_weights(part, weights, seed + place, digest=digest)
        for place, part in enumerate(spec.parts)
    )
    digests = [part.digest for part in parts if part.digest is not None]
    joined = " + ".join(digests) if digests else None
    first = parts[0]
    return WeightsOrigin(first.source, None, joined, first.seed, first.preprocessing, parts)


def _resolve_imagenet(spec: BackboneSpec, digest: Digest) -> WeightsOrigin:
    source = spec.imagenet
    if source is None:
        raise WeightsError(describe_absence(spec))
    if isinstance(source, ApplicationWeights):
        return WeightsOrigin("imagenet", None, "keras.applications", None, spec.preprocessing)
    if isinstance(source, PipWeights):
        path = find_in_package(spec, source)
        return WeightsOrigin("imagenet", path, f"sha256:{digest(path)}", None, spec.preprocessing)
    cached = find_download(source)
    return WeightsOrigin("imagenet", cached, f"md5:{source.md5}", None, spec.preprocessing)


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise WeightsError(
            f"There is no weights file {path}. "
            "backbone.weights is 'imagenet', 'random' or the path of a file."
        )
    if path.suffix.lower() not in (*TORCH_SUFFIXES, *KERAS_SUFFIXES):
        raise WeightsError(
            f"{path}: weights are read from {', '.join((*KERAS_SUFFIXES, *TORCH_SUFFIXES))} "
            f"files, not from '{path.suffix}'."
        )


def _file_recipe(spec: BackboneSpec, path: Path) -> Preprocessing:
    """A VGG from torchvision was trained on other pixel values than one from Keras."""
    if path.suffix.lower() in TORCH_SUFFIXES:
        return "torchvision" if spec.module == "vgg" else spec.preprocessing
    note = read_note(path)
    return spec.preprocessing if note is None else note.preprocessing


def _read_arrays(model: "keras.Model", spec: BackboneSpec, path: Path) -> "Arrays":
    """Returns `layer/weight` -> array, as Keras orders axes."""
    if path.suffix.lower() in TORCH_SUFFIXES:
        from captioner.backbones.torch_checkpoint import read_torch_checkpoint

        return _find_converter(spec, path)(spec.name, read_torch_checkpoint(path))
    from captioner.backbones.keras_checkpoint import read_keras_checkpoint

    layers = [layer.name for layer in model.layers if layer.weights]
    arrays: dict[str, np.ndarray] = {}
    for layer, values in read_keras_checkpoint(path, layers).items():
        names = (
            [weight.name for weight in model.get_layer(layer).weights] if layer in layers else []
        )
        names += [str(position) for position in range(len(names), len(values))]
        arrays |= {f"{layer}/{n}": value for n, value in zip(names, values, strict=False)}
    return arrays


def _find_converter(spec: BackboneSpec, path: Path) -> "Converter":
    module = importlib.import_module(f"captioner.backbones.{spec.module}")
    converter: Converter | None = getattr(module, "convert_torch", None)
    if converter is None:
        raise WeightsError(
            f"{path}: weights of {spec.title} are read from {' and '.join(KERAS_SUFFIXES)} files; "
            "nobody publishes them for PyTorch."
        )
    return converter


def _assign(model: "keras.Model", arrays: "Arrays", path: Path, *, without: str | None) -> None:
    variables = {
        f"{layer.name}/{v.name}": v
        for layer in model.layers
        for v in layer.weights
        if layer.name != without
    }
    arrays = {name: array for name, array in arrays.items() if name.partition("/")[0] != without}
    wanted = {name: tuple(variable.shape) for name, variable in variables.items()}
    found = {name: array.shape for name, array in arrays.items()}
    if wanted != found:
        height, width = model.input_shape[1:3]
        network = f"{model.name} for images of {height} x {width} pixels"
        raise WeightsError(_describe_mismatch(path, network, wanted, found))
    for name, variable in variables.items():
        variable.assign(arrays[name])


def _describe_mismatch(
    path: Path, network: str, wanted: Mapping[str, tuple[int, ...]], found: Mapping[str, object]
) -> str:
    names = sorted({*wanted, *found})
    lines = [
        f"  {name}: expected {wanted.get(name, 'nothing')}, found {found.get(name, 'nothing')}"
        for name in names
        if wanted.get(name) != found.get(name)
    ]
    shown = lines[:NUM_LISTED]
    if len(lines) > NUM_LISTED:
        shown.append(f"  and {len(lines) - NUM_LISTED} more")
    return "\n".join(
        [
            f"{path} does not hold the weights of {network}:",
            *shown,
            "Give the weights of this very network, classifier included.",
        ]
    )


def _draw_weights(model: "keras.Model", seed: int) -> None:
    """Draws kernels as He et al. 2015 (arXiv:1502.01852) do, which keeps signals alive."""
    import numpy as np

    generator = np.random.default_rng(seed)
    for layer in model.layers:
        is_depthwise_layer = type(layer).__name__ == "DepthwiseConv2D"
        for variable in layer.weights:
            if "kernel" in variable.name:
                is_depthwise = is_depthwise_layer or variable.name == "depthwise_kernel"
                variable.assign(_draw_kernel(generator, tuple(variable.shape), is_depthwise))


def _draw_kernel(
    generator: "np.random.Generator", shape: tuple[int, ...], is_depthwise: bool
) -> "np.ndarray":
    inputs = shape[:2] if is_depthwise else shape[:-1]
    values = generator.standard_normal(shape, dtype="float32")
    return values * values.dtype.type(math.sqrt(2.0 / math.prod(inputs)))
