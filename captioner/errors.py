"""Every error a user can meet: what happened, what was expected, how to mend it.

The command line prints `str(error)` on one screen, without a traceback, and exits with
`error.exit_code`. Anything else that escapes is a defect of captioner.
"""

from pathlib import Path


class CaptionerError(Exception):
    """Base of all errors that captioner raises on purpose."""

    exit_code = 1


class UsageError(CaptionerError):
    """The request itself cannot be met: a bad option, a bad name, a missing file."""

    exit_code = 2


class ConfigError(UsageError):
    """A pipeline file or an override is wrong; the message lists every fault found."""


class DatasetError(CaptionerError):
    """A data set cannot be read, or what it says contradicts itself."""


class DatasetMissingError(UsageError):
    """A data set is not there yet, and this request does not make it."""


class ImageError(CaptionerError):
    """One image cannot be used.

    Args:
        path: the file, or a description of where the bytes came from.
        cause: what is wrong with it, in words, without the path.
    """

    def __init__(self, path: Path | str, cause: str) -> None:
        super().__init__(f"{path}: {cause}")
        self.path = path
        self.cause = cause


class WeightsError(CaptionerError):
    """Weights are missing, damaged, or belong to another network."""


class BackboneError(CaptionerError):
    """A backbone does not do what its specification says."""


class FeatureError(CaptionerError):
    """Features are missing, damaged, or of the wrong width."""


class UnsafePickleError(FeatureError):
    """A pickle holds something other than dicts, strings and arrays, and was not loaded."""


class VocabularyError(CaptionerError):
    """A vocabulary file is damaged, or a word or token id does not belong to it."""


class DecoderError(CaptionerError):
    """A decoder cannot be built, trained, loaded or saved as asked."""


class CheckpointError(CaptionerError):
    """A training run cannot go on from what an earlier one left."""


class ClassifierError(CaptionerError):
    """A classifier cannot be trained as asked."""


class ScoreError(CaptionerError):
    """Captions cannot be scored: missing, doubled, or without references."""


class DownloadError(CaptionerError):
    """A file could not be fetched, or is not the file that was expected."""


class ArtifactError(CaptionerError):
    """The artifacts folder cannot be read or written."""


class LockedError(ArtifactError):
    """Another run holds the artifacts folder."""
