"""Stage `tokenize`: captions in, words and token ids out."""

import json
from pathlib import Path

from captioner.datasets.records import CaptionDataset, count_reasons
from captioner.files import replace_file, write_json
from captioner.pipeline.stage import Stage, StageOutcome, StageRun
from captioner.stages.sources import Sources

SCHEMA = 1
VOCABULARY, TOKENS = "vocabulary.json", "tokens.npz"
DESCRIPTIONS, STATISTICS, SKIPPED = "descriptions.txt", "statistics.json", "skipped.jsonl"


def declare(sources: Sources) -> Stage:
    """Returns the stage, with everything that decides its output."""

    def tokenize(run: StageRun) -> StageOutcome:
        from captioner.text.descriptions import write_descriptions
        from captioner.text.tokens import tokenise_captions

        settings, images = sources.settings.tokenize, sources.dataset.images
        vocabulary, tokens, statistics = tokenise_captions(
            images, settings.scheme, settings.min_count, settings.max_length
        )
        vocabulary.save(run.folder / VOCABULARY)
        tokens.save(run.folder / TOKENS)
        write_descriptions(run.folder / DESCRIPTIONS, images, settings.scheme)
        write_json(run.folder / STATISTICS, statistics)
        write_skips(run.folder / SKIPPED, sources.dataset)
        return StageOutcome(f"{len(tokens):,} captions, {len(vocabulary.words):,} words")

    inputs = {
        **sources.section("tokenize"),
        "captions": sources.captions(),
        "skipped": count_reasons(sources.dataset.skips),
    }
    return Stage("tokenize", SCHEMA, inputs, tokenize)


def write_skips(path: Path, dataset: CaptionDataset) -> None:
    """Lists what the reader left out, a JSON object a line."""
    with replace_file(path, "w") as file:
        for skip in dataset.skips:
            line = json.dumps({"item": skip.item, "reason": skip.reason}, ensure_ascii=False)
            file.write(line + "\n")
