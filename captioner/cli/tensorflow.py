"""TensorFlow without the start-up chatter that a person cannot act upon."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from captioner.processor import grow_gpu_memory


def load_tensorflow() -> None:
    """Imports TensorFlow and looks for devices while standard error is held back.

    What TensorFlow writes there comes from C++ before its own log level is in force. It is
    shown after all if the import fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _held_back_stderr():
        import tensorflow as tf

        grow_gpu_memory()
        tf.config.list_logical_devices()


@contextlib.contextmanager
def _held_back_stderr() -> Iterator[None]:
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held, contextlib.ExitStack() as stack:
        original = os.dup(2)
        stack.callback(os.close, original)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(original, 2)
            held.seek(0)
            sys.stderr.write(held.read().decode("utf-8", "replace"))
            raise
        finally:
            os.dup2(original, 2)
