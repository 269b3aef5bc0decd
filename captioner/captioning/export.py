"""A trained model packed into a folder of its own, small enough to ship.

`captioner/pretrained/` is made in this way, and a later, better model replaces it in this way.
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.captioning.model_folder import (
    BACKBONE,
    EXPECTATION,
    SEARCH,
    SEARCH_KEYS,
    VOCABULARY,
    ModelFolder,
)
from captioner.decoders.captions import check_vocabulary
from captioner.decoders.members import list_members, member_folder
from captioner.decoders.storage import load_decoder, save_decoder
from captioner.decoding.settings import SearchSettings
from captioner.errors import UsageError
from captioner.files import write_json
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
        folder: where it goes; made if it is missing, and refused if it holds another model.
        search: how captions are best searched for with this model.
        expectation: what people can be expected to say, for captions to be ranked by; None keeps
            the model's own, if it has one.

    Returns:
        `folder`.

    Raises:
        UsageError: `folder` holds a model already.
        DecoderError, VocabularyError: the model is damaged.
    """
    if (folder / VOCABULARY).exists():
        raise UsageError(f"{folder} holds a model already. Remove it, or name another folder.")
    decoders = [load_decoder(member) for member in list_members(model.path)]
    check_vocabulary(decoders[0], Vocabulary.load(model.path / VOCABULARY))
    backbone = model.read_json(BACKBONE)
    model.backbone()  # says what is wrong with a record that nobody could use
    folder.mkdir(parents=True, exist_ok=True)
    for place, decoder in enumerate(decoders):
        own = member_folder(folder, place)
        own.mkdir(parents=True, exist_ok=True)
        save_decoder(own, decoder, dtype="float16")
    write_json(folder / BACKBONE, backbone)
    write_json(folder / SEARCH, record_search(search))
    if expectation is not None:
        expectation.save(folder / EXPECTATION)
    elif (model.path / EXPECTATION).exists():
        shutil.copyfile(model.path / EXPECTATION, folder / EXPECTATION)
    shutil.copyfile(model.path / VOCABULARY, folder / VOCABULARY)
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
