"""The encoder of a pipeline: are its weights here, whole and its own, and does it see rightly?"""

import hashlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from captioner.backbones.registry import find_spec
from captioner.backbones.spec import BackboneSpec, DownloadedWeights
from captioner.backbones.trained import fit_spec
from captioner.backbones.weights import WeightsOrigin, load_weights, resolve_weights
from captioner.doctor import golden
from captioner.doctor.finding import Finding, fine, note, problem
from captioner.errors import CaptionerError
from captioner.images import load_image
from captioner.settings import PRETRAINED, BackboneSection

if TYPE_CHECKING:
    import keras

_HOST = "https://storage.googleapis.com"  # from where Keras fetches its networks
_SECONDS = 3
_OTHER_WAYS = (
    "fetch the file elsewhere and name it, --set backbone.weights=PATH; or take an encoder that "
    "pip has installed, --set backbone.name=efficientnet_lite0"
)


def check_encoder(
    backbone: BackboneSection, load_tensorflow: Callable[[], None] | None
) -> Iterator[Finding]:
    """Yields what there is to say of weights and pre-processing; nothing is downloaded.

    Args:
        backbone: the pipeline's section.
        load_tensorflow: called before the encoder is tried; None if TensorFlow does not load.
    """
    if backbone.weights == PRETRAINED:
        yield note("weights", "stage pretrain makes them, and build checks them")
        return
    try:
        spec = fit_spec(find_spec(backbone.name), backbone.weights, backbone.input_size)
        origin = resolve_weights(spec, backbone.weights, backbone.seed)
    except (CaptionerError, OSError) as error:
        yield problem("weights", str(error), _OTHER_WAYS)
        return
    parts = list(zip(spec.parts, origin.parts, strict=True)) if spec.parts else [(spec, origin)]
    faults = [fault for part in parts if (fault := _find_fault(*part)) is not None]
    yield from faults
    if not faults:
        yield fine("weights", f"{spec.title}, {_describe(origin)}")
        if load_tensorflow is not None:
            load_tensorflow()
            yield from _try_encoder(spec, origin)


def _find_fault(spec: BackboneSpec, origin: WeightsOrigin) -> Finding | None:
    return _find_damage(spec, origin) if origin.is_here else _judge_download(spec)


def _describe(origin: WeightsOrigin) -> str:
    if origin.parts:
        return "; ".join(map(_describe, origin.parts))
    if origin.path is None:
        return f"random with seed {origin.seed}: fit for tests, not for captions"
    return f"{origin.path} ({origin.path.stat().st_size / 1e6:.1f} MB, {str(origin.digest)[:19]})"


def _judge_download(spec: BackboneSpec) -> Finding:
    source = spec.imagenet
    address = source.url if isinstance(source, DownloadedWeights) else _HOST
    text = f"the ImageNet weights of {spec.title} are not on this machine"
    host = str(urlsplit(address).hostname)
    if _answers(host):
        return note("weights", f"{text}; the first run fetches them from {host}")
    return problem("weights", f"{text}, and {host} cannot be reached from it", _OTHER_WAYS)


def _answers(host: str) -> bool:
    try:
        socket.create_connection((host, 443), timeout=_SECONDS).close()
    except OSError:
        return False
    return True


def _find_damage(spec: BackboneSpec, origin: WeightsOrigin) -> Finding | None:
    source, path = spec.imagenet, origin.path
    if origin.source != "imagenet" or not isinstance(source, DownloadedWeights) or path is None:
        return None
    if _md5(path) == source.md5:
        return None
    return problem("weights", f"{path} is damaged: its MD5 is not {source.md5}", f"remove {path}")


def _md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _try_encoder(spec: BackboneSpec, origin: WeightsOrigin) -> Iterator[Finding]:
    from captioner.backbones.description import check_network
    from captioner.backbones.encoder import build_network

    network = build_network(spec)
    try:
        load_weights(network, spec, origin)
    except (CaptionerError, OSError) as error:
        yield problem("weights", str(error), "name the weights of this very network, or none")
        return
    failed = [c for c in check_network(spec, network, origin.preprocessing) if not c.passed]
    for check in failed:
        yield problem(
            "encoder",
            f"{check.name}: expected {check.expected}, found {check.found}",
            "the weights may be damaged or another network's: name others",
        )
    if not failed:
        yield fine("encoder", "loads; size, pre-processing and live features are right")
    yield _check_golden(spec, network, origin)


def _check_golden(spec: BackboneSpec, network: "keras.Model", origin: WeightsOrigin) -> Finding:
    from captioner.backbones.encoder import Encoder

    if spec.rule != find_spec(spec.name).rule:
        return note("golden image", "values are recorded for the network's own input size alone")
    encoder = Encoder(spec, network, origin.preprocessing, ("vector",), batch_size=1)
    image_HWC = load_image(golden.draw_photograph(), spec.rule)
    vector_F = encoder.encode(image_HWC[None])["vector"][0]
    departure = golden.compare(vector_F, origin.digest)
    if departure is None:
        return note("golden image", "no values are recorded for these weights")
    text = f"features depart from the recorded ones by {departure:.2%} of the largest value"
    if departure > golden.TOLERANCE:
        return problem(
            "golden image",
            f"{text}, more than {golden.TOLERANCE:.0%}",
            "pip install --force-reinstall captioner tensorflow pillow",
        )
    return fine("golden image", text)
