"""Python, packages, TensorFlow and what the processor offers."""

import importlib.metadata
import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from packaging.requirements import Requirement

from captioner.doctor.finding import Finding, fine, note, problem

PACKAGE = "captioner"

_REINSTALL = "pip install --force-reinstall tensorflow"
_SECONDS = 300  # a first import of TensorFlow from a slow disk
# In a process of its own: on a processor that it was not built for, TensorFlow kills its process.
_TRIAL = """
import json, keras, tensorflow as tf
from captioner.processor import measure_bfloat16, prefers_bfloat16
gpus = [device.name for device in tf.config.list_physical_devices("GPU")]
total = float(tf.reduce_sum(tf.ones([8, 8]) @ tf.ones([8, 8])))
print(json.dumps({"gpus": gpus, "total": total, "backend": keras.config.backend(),
                  "order": keras.config.image_data_format(), "bfloat16": measure_bfloat16(),
                  "uses_bfloat16": prefers_bfloat16()}))
"""


def check_installation() -> Iterator[Finding]:
    """Yields what there is to say of Python, the packages and TensorFlow."""
    yield fine("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield check_packages(importlib.metadata.requires(PACKAGE))
    yield from check_tensorflow()


def check_packages(requirements: list[str] | None) -> Finding:
    """Compares installed packages with what captioner asks for.

    Args:
        requirements: as a package's metadata list them, extras included; None where captioner
            itself is not installed.
    """
    if requirements is None:
        return note("packages", "captioner is run from a source tree; versions are not checked")
    wanted = [Requirement(text) for text in requirements]
    asked = [own for own in wanted if own.marker is None or own.marker.evaluate({"extra": ""})]
    faults = [fault for requirement in asked if (fault := _find_fault(requirement))]
    if faults:
        names = " ".join(f"'{name}'" for name, _ in faults)
        found = "; ".join(text for _, text in faults)
        return problem("packages", found, f"pip install --upgrade {names}")
    return fine("packages", f"all {len(asked)} are recent enough")


def check_tensorflow() -> Iterator[Finding]:
    """Loads TensorFlow in a process of its own and multiplies two matrices with it."""
    try:
        result = subprocess.run(
            [sys.executable, "-c", _TRIAL], capture_output=True, text=True, timeout=_SECONDS
        )
        facts = json.loads(result.stdout.splitlines()[-1]) if result.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
        yield problem("tensorflow", f"it does not answer: {error}", _REINSTALL)
        return
    if facts is None:
        yield _explain_failure(result.returncode, result.stderr)
        return
    yield from _judge_tensorflow(facts)


def _find_fault(requirement: Requirement) -> tuple[str, str] | None:
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return str(requirement), f"{requirement.name} is not installed"
    if requirement.specifier.contains(version, prereleases=True):
        return None
    return str(requirement), f"{requirement.name} {version} is not {requirement.specifier}"


def _explain_failure(code: int, errors: str) -> Finding:
    if code < 0:
        return problem(
            "tensorflow",
            f"it kills its process (signal {-code}) as it loads",
            "this processor may lack AVX: take a machine that has it, or a TensorFlow built for "
            "this one",
        )
    last = errors.strip().splitlines()[-1] if errors.strip() else f"exit code {code}"
    return problem("tensorflow", f"it does not load: {last}", _REINSTALL)


def _judge_tensorflow(facts: dict[str, Any]) -> Iterator[Finding]:
    version = importlib.metadata.version
    if facts["total"] != 512:
        yield problem(
            "tensorflow",
            f"it multiplies wrongly: {facts['total']} in place of 512",
            _REINSTALL,
        )
    yield fine("tensorflow", f"{version('tensorflow')} with Keras {version('keras')} loads")
    if facts["backend"] != "tensorflow":
        yield problem(
            "keras backend",
            f"Keras is set to {facts['backend']}; captioner needs TensorFlow",
            "unset KERAS_BACKEND, and set backend to tensorflow in ~/.keras/keras.json",
        )
    if facts["order"] != "channels_last":
        yield problem(
            "keras images",
            f"Keras is set to {facts['order']}; captioner needs channels_last",
            "set image_data_format to channels_last in ~/.keras/keras.json",
        )
    gpus = facts["gpus"]
    yield fine("gpu", ", ".join(gpus) if gpus else "none; a processor will do")
    yield fine("bfloat16", _tell_bfloat16(facts["bfloat16"], facts["uses_bfloat16"]))


def _tell_bfloat16(speedup: float | None, is_used: bool) -> str:
    if speedup is None:
        return "not on this processor; with AMX VGG would be four times as fast"
    if is_used:
        return f"{speedup:.1f} times as fast as float32; used where networks gain from it"
    return f"on this processor, but at {speedup:.0%} of float32's speed, which is used instead"
