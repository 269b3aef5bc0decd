"""A trained model packed into a folder of its own, small enough to ship.

`captioner/pretrained/` is made in this way, and a later, better model replaces it in this way.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.captioning.model_folder import (
    BACKBONE,
    EXPECTATION,
    SEARCH,
    SEARCH_KEYS,
    VOCABULARY,
    ModelFolder,
    check_destination,
)
from captioner.decoders.captions import check_vocabulary
from captioner.decoders.members import list_members, member_folder
from captioner.decoders.storage import load_decoder, save_decoder
from captioner.decoding.settings import SearchSettings
from captioner.files import make_folder, write_json
from captioner.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from captioner.metrics.expectation import Expectation


def export_model(
    model: ModelFolder,
    folder: Path,
    search: SearchSettings,
    expectation: "Expectation | None" = None,
) -> Path:
    """Copies a model, its weights at half precision and its best search recorded.

    Args:
        model: what to pack.
        folder: where it goes: one that is missing or empty. It appears when all is in it.
        search: how captions are best searched for with this model.
        expectation: what people can be expected to say, for captions to be ranked by; None keeps
            the model's own, if it has one.

    Returns:
        `folder`.

    Raises:
        UsageError: there is something at `folder`.
        DecoderError, VocabularyError: the model is damaged.
    """
    check_destination(folder)
    decoders = [load_decoder(member) for member in list_members(model.path)]
    vocabulary = Vocabulary.load(model.path / VOCABULARY)
    check_vocabulary(decoders[0], vocabulary)
    backbone = model.read_json(BACKBONE)
    model.backbone()  # says what is wrong with a record that nobody could use
    if expectation is None:
        expectation = model.expectation(decoders[0].spec.feature_shape[-1])
    with make_folder(folder) as staging:
        for place, decoder in enumerate(decoders):
            own = member_folder(staging, place)
            own.mkdir(parents=True, exist_ok=True)
            save_decoder(own, decoder, dtype="float16")
        write_json(staging / BACKBONE, backbone)
        write_json(staging / SEARCH, record_search(search))
        vocabulary.save(staging / VOCABULARY)
        if expectation is not None:
            expectation.save(staging / EXPECTATION)
    return folder


def record_search(search: SearchSettings) -> dict[str, Any]:
    """Returns what `search.json` holds: how wide and how far to search, and any rules."""
    usual = SearchSettings()
    always = SEARCH_KEYS[:3]
    return {
        key: getattr(search, key)
        for key in SEARCH_KEYS
        if key in always or getattr(search, key) != getattr(usual, key)
    }
