"""captioner: train, evaluate and use image-captioning models.

Importing this loads no TensorFlow; what needs it loads it when it is called.

Example:

    from captioner import Captioner

    print(Captioner.load().caption("photo.jpg").text)
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Caption", "Captioner", "Pipeline", "__version__", "run_pipeline"]

if TYPE_CHECKING:
    from captioner.captioning.caption import Caption
    from captioner.captioning.captioner import Captioner
    from captioner.config import Pipeline
    from captioner.stages.chain import run_pipeline

_HOMES = {
    "Caption": "captioner.captioning.caption",
    "Captioner": "captioner.captioning.captioner",
    "Pipeline": "captioner.config",
    "run_pipeline": "captioner.stages.chain",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'captioner' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
