"""A model folder with a real encoder and a small decoder whose weights are random."""

from pathlib import Path

from captioner.backbones.registry import find_spec
from captioner.backbones.weights import resolve_weights
from captioner.files import write_json
from captioner.text.vocabulary import Vocabulary

WORDS = [["a", "dog", "runs", "on", "grass"], ["two", "men", "climb", "the", "hill"]]


def make_model(
    folder: Path, *, seed: int = 0, units: int = 16, num_words: int = 0, kind: str = "inject"
) -> Path:
    """Makes the folder; `num_words` more words make the search as wide as that of a real one."""
    from captioner.decoders.registry import build_decoder, default_spec
    from captioner.decoders.storage import save_decoder

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = Vocabulary.build([*WORDS, [f"word{i}" for i in range(num_words)]])
    attention = {"attention_units": units, "attention_heads": 2} if kind == "attention" else {}
    spec = default_spec(kind, len(vocabulary), units=units, embedding_size=units, **attention)
    save_decoder(folder, build_decoder(spec, seed=seed))
    vocabulary.save(folder / "vocabulary.json")
    spec = find_spec("efficientnet_lite0")
    origin = resolve_weights(spec, "imagenet")
    weights = {"source": "imagenet", "digest": origin.digest, "seed": None}
    record = {"name": spec.name, "weights": weights, "resize": spec.rule.describe()}
    write_json(folder / "backbone.json", record)
    write_json(folder / "search.json", {"num_beams": 2, "max_length": 8, "length_exponent": 0.7})
    return folder
