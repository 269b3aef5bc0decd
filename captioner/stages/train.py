"""Stage `train`: features and token ids in, a trained decoder out."""

import functools
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.datasets.records import CaptionedImage
from captioner.decoders.registry import default_spec, find_kind
from captioner.decoders.settings import count_together
from captioner.decoders.spec import SMALLEST_VOCABULARY
from captioner.errors import ConfigError, DatasetError, DecoderError, FeatureError
from captioner.pipeline.stage import Stage, StageOutcome, StageRun
from captioner.stages import build, tokenize
from captioner.stages.sources import Sources, library_inputs
from captioner.text.normalisation import SCHEMES_WITHOUT_UNKNOWN, find_scheme

if TYPE_CHECKING:
    from captioner.decoders.self_critical import Reward
    from captioner.decoders.training import ScoreDev, TrainingSummary
    from captioner.features.reading import Features
    from captioner.text.tokens import TokenisedCaptions
    from captioner.text.vocabulary import Vocabulary

SCHEMA = 1
LEARNT_FROM = ("train", "dev")
_OFF = {"members": 1, "scheduled_sampling": 0.0, "attention_penalty": 0.0, "mirrored": False}


def declare(sources: Sources) -> Stage:
    """Returns the stage, with everything that decides its output."""

    def train_decoder(run: StageRun) -> StageOutcome:
        from captioner.text.tokens import TokenisedCaptions
        from captioner.text.vocabulary import Vocabulary

        features = open_features(sources, run)
        vocabulary = Vocabulary.load(run.needs["tokenize"] / tokenize.VOCABULARY)
        captions = TokenisedCaptions.load(run.needs["tokenize"] / tokenize.TOKENS)
        captions = captions.restrict(features.image_ids)
        summaries = train_members(sources, run.folder, features, captions, vocabulary)
        copy_companions(run)
        return StageOutcome("; ".join(map(describe_summary, summaries)))

    return Stage("train", SCHEMA, inputs(sources), train_decoder, needs=needs(sources))


def inputs(sources: Sources) -> dict[str, Any]:
    """Returns what decides the trained decoder: nothing of the test split is among it."""
    return {
        **feature_inputs(sources, LEARNT_FROM, "images"),
        **sources.section("tokenize"),
        "captions": sources.captions(LEARNT_FROM),
        **decoder_inputs(sources),
        **sources.section(
            "train", without=["features", "captions_together", *switched_off(sources)]
        ),
        **batch_inputs(sources),
        **drawing_inputs(sources),
        **library_inputs("keras", "tensorflow"),
    }


def switched_off(sources: Sources) -> Sequence[str]:
    """Returns the keys that decide nothing as they are, so training goes as before they existed."""
    return [key for key, off in _OFF.items() if getattr(sources.settings.train, key) == off]


def batch_inputs(sources: Sources) -> dict[str, Any]:
    """Returns how many captions of an image share a step; alone they go as ever before."""
    settings = sources.settings
    together = count_together(settings.train.captions_together, settings.decoder.reads)
    return {} if together == 1 else {"train.captions_together": together}


def drawing_inputs(sources: Sources) -> dict[str, Any]:
    """Returns what of the vocabulary decides the words that training draws, if it draws any.

    Earlier versions never drew the first word of a vocabulary that has no unknown word.
    """
    settings = sources.settings
    draws = settings.train.reward_epochs or settings.train.scheduled_sampling
    if not draws or find_scheme(settings.tokenize.scheme) not in SCHEMES_WITHOUT_UNKNOWN:
        return {}
    return {"train.draws_every_word": True}


def train_members(
    sources: Sources,
    folder: Path,
    features: "Features",
    captions: "TokenisedCaptions",
    vocabulary: "Vocabulary",
) -> "list[TrainingSummary]":
    """Trains one decoder after another, each from its own seed; those that are done are kept."""
    from captioner.checkpoint import remove_checkpoint
    from captioner.decoders.captions import special_tokens
    from captioner.decoders.members import member_folder
    from captioner.decoders.settings import TrainSettings
    from captioner.decoders.training import train_decoder

    settings = sources.settings
    spec = default_spec(
        settings.decoder.kind,
        len(vocabulary),
        feature_shape=features.shapes[settings.decoder.reads],
        **settings.decoder.chosen(),
    )
    values = settings.train.model_dump(exclude={"features", "members", "seed"})
    rewarded, tokens = reward(sources, captions), special_tokens(vocabulary)
    folders = [member_folder(folder, member) for member in range(settings.train.members)]
    summaries = []
    for seed, own in enumerate(folders, start=settings.train.seed):
        own.mkdir(parents=True, exist_ok=True)
        train_settings = TrainSettings(seed=seed, **values)
        judge = dev_scorer(sources, features, vocabulary)  # keeps the decoder that it has judged
        summaries.append(
            train_decoder(spec, features, captions, train_settings, own, judge, rewarded, tokens)
        )
    for own in folders:  # only now: until the last is trained, checkpoints say which are done
        remove_checkpoint(own)
    return summaries


def describe_summary(summary: "TrainingSummary") -> str:
    """Returns what a training run came to, in a line."""
    best, epochs = summary.best, len(summary.history)
    return f"best of {epochs} epochs: {best.epoch}, dev CIDEr {best.dev_score:.3f}"


def decoder_inputs(sources: Sources) -> dict[str, Any]:
    """Returns the decoder's description, with the defaults of its kind filled in.

    A default that changes with a new version of captioner changes the fingerprint as well.

    Raises:
        ConfigError: the settings do not fit each other.
    """
    section = sources.settings.decoder
    try:
        spec = default_spec(section.kind, SMALLEST_VOCABULARY, **section.chosen())
    except DecoderError as error:
        raise ConfigError(f"[decoder] {error}") from error
    derived = ("vocabulary_size", "feature_shape")  # follow from inputs that are named already
    left_out = [*derived, *find_kind(section.kind).unread]
    if not spec.variational_dropout:  # as ever before there was such a thing
        left_out.append("variational_dropout")
    penalty = sources.settings.train.attention_penalty
    if penalty and spec.feature_kind != "grid":
        raise ConfigError(
            f"[train] attention_penalty={penalty} is for decoders that attend to places of the "
            f"image, and kind {section.kind!r} does not: leave it out, or set "
            "decoder.kind = 'attention'."
        )
    return {f"decoder.{k}": v for k, v in spec.to_json().items() if k not in left_out}


def feature_inputs(sources: Sources, splits: Sequence[str], name: str) -> dict[str, Any]:
    """Returns what decides the features of some splits' images, as an input called `name`."""
    pickle = sources.settings.train.features
    if pickle is not None:
        return {"train.features": sources.digests.digest(Path(pickle))}
    images = {name: sources.images(splits)}
    return {**sources.encoding_inputs(), **sources.missing_readers, **images}


def needs(sources: Sources, *more: str) -> tuple[str, ...]:
    """Returns the stages whose artifacts are read, depending on where features come from."""
    made_elsewhere = sources.settings.train.features is not None
    return (*(() if made_elsewhere else ("build", "extract")), "tokenize", *more)


def open_features(sources: Sources, run: StageRun) -> "Features":
    """Opens the features: those of stage `extract`, or the pickle that the settings name."""
    from captioner.features.pickles import read_features_pickle
    from captioner.features.store import FeatureStore

    pickle = sources.settings.train.features
    features: Features = (
        FeatureStore.open(run.needs["extract"])
        if pickle is None
        else read_features_pickle(Path(pickle))
    )
    if not with_features(sources.dataset.images, features):
        raise FeatureError(
            f"None of the data set's {len(sources.dataset.images):,} images is among the "
            f"{len(features.image_ids):,} with features, such as {features.image_ids[0]!r} and "
            f"{sources.dataset.images[0].image_id!r}. Give features of this data set."
        )
    return features


def with_features(
    images: Iterable[CaptionedImage], features: "Features"
) -> tuple[CaptionedImage, ...]:
    """Returns the images that have features; a photograph that cannot be read has none."""
    known = set(features.image_ids)
    return tuple(image for image in images if image.image_id in known)


def dev_scorer(sources: Sources, features: "Features", vocabulary: "Vocabulary") -> "ScoreDev":
    """Returns the judge of each epoch: CIDEr-D of greedy captions of the dev images."""
    from captioner.decoders.captions import CaptionGenerator
    from captioner.decoders.decoder import Decoder
    from captioner.decoding.settings import SearchSettings
    from captioner.metrics.cider import score_cider
    from captioner.text.normalisation import normalise

    images = with_features(sources.dataset.in_split("dev"), features)
    if not images:
        raise DatasetError(
            "No image of the dev split has features, and dev decides when training stops. "
            "Give the data set a dev split, or set dataset.split_fractions."
        )
    image_ids = [image.image_id for image in images]
    references = [[normalise(caption) for caption in image.captions] for image in images]

    @functools.cache  # the weights change from epoch to epoch, the compiled search does not
    def greedy_captions(decoder: Decoder) -> CaptionGenerator:
        return CaptionGenerator(decoder, vocabulary, SearchSettings(method="greedy"))

    def score_dev(decoder: Decoder) -> float:
        captions = greedy_captions(decoder).generate(features, image_ids)
        hypotheses = [captions[image_id][0].words for image_id in image_ids]
        return float(score_cider(hypotheses, references).mean())

    return score_dev


def reward(sources: Sources, captions: "TokenisedCaptions") -> "Reward | None":
    """Returns the judge of captions drawn for training images, where training asks for one."""
    from captioner.metrics.reward import CaptionReward, RewardSettings

    settings = sources.settings.train
    if not settings.reward_epochs:
        return None
    references = captions.restrict(captions.image_ids_in("train"))
    return CaptionReward.from_captions(references, RewardSettings(bleu=settings.reward_bleu)).score


def copy_companions(run: StageRun) -> None:
    """Puts beside the decoder what it takes to caption a photograph: words and encoder."""
    companions = {"tokenize": tokenize.VOCABULARY, "build": build.DESCRIPTION}
    for stage, name in companions.items():
        if stage in run.needs:
            shutil.copyfile(run.needs[stage] / name, run.folder / name)
