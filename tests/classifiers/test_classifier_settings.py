"""Settings out of range are named all at once."""

import pytest

from captioner.classifiers.settings import Augmentation, ClassifierSettings
from captioner.errors import UsageError


def test_all_faults_are_named():
    with pytest.raises(UsageError) as caught:
        ClassifierSettings(
            epochs=0,
            learning_rate=float("nan"),
            label_smoothing=1.0,
            class_weights="even",  # type: ignore[arg-type]
            augmentation=Augmentation(rotation=200, zoom=-0.1),
        )
    for fault in (
        "epochs=0, expected 1 or more",
        "learning_rate=nan, expected a number above 0",
        "label_smoothing=1.0, expected 0 to below 1",
        "class_weights='even', expected one of balanced, none",
        "rotation=200, expected 0 to 180 degrees",
        "zoom=-0.1, expected 0 to below 1",
    ):
        assert fault in str(caught.value)


def test_pipeline_files_have_the_same_settings_and_defaults():
    """The best values known are written in one place more; this keeps the two alike."""
    from dataclasses import asdict

    from captioner.settings import PretrainSection

    settings = asdict(ClassifierSettings())
    expected = {**settings.pop("augmentation"), **settings}
    section = PretrainSection().model_dump()
    assert {key: section[key] for key in expected} == expected
