"""The stages of a pipeline, chained: five over one data set, and one that makes the encoder.

pretrain ──> build ──> extract ──┐
(if asked for)                   ├──> train ──> evaluate
             tokenize ───────────┘
"""

import contextlib
import gc
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from captioner.classifiers.class_folders import ClassFolders, read_class_folders
from captioner.config import Pipeline
from captioner.datasets.formats import read_dataset
from captioner.datasets.records import CaptionDataset, count_reasons
from captioner.datasets.scenes import SCENES_VERSION
from captioner.errors import ConfigError, DatasetMissingError
from captioner.pipeline.artifacts import ArtifactStore
from captioner.pipeline.digests import DigestCache
from captioner.pipeline.lock import hold_lock
from captioner.pipeline.plan import Selection
from captioner.pipeline.runner import Runner, RunResult, Say
from captioner.pipeline.stage import Stage
from captioner.settings import DatasetSection, PretrainSection, Settings
from captioner.stages import build, evaluate, extract, pretrain, tokenize, train
from captioner.stages.pretrain import Pretraining
from captioner.stages.sources import Sources

DIGESTS = ".digests.sqlite"


def run_pipeline(
    pipeline: Pipeline | str | Path,
    *,
    artifacts: Path | str = "artifacts",
    selection: Selection = Selection(),  # noqa: B008 - frozen
    say: Say | None = None,
) -> RunResult:
    """Brings a pipeline up to date: what `captioner run` does.

    Args:
        pipeline: the pipeline, its file, or the name of one that ships with captioner.
        artifacts: the folder where results are kept.
        selection: which stages; all of them by default.
        say: takes one line at a time of what happens; by default they go to stderr.

    Returns:
        The artifact of each stage, and which stages had to work.

    Raises:
        CaptionerError: see `captioner.errors`; what was finished is kept.

    Example:

        result = run_pipeline("quickstart")
        print((result.artifacts["evaluate"].folder / "scores.json").read_text())
    """
    loaded = pipeline if isinstance(pipeline, Pipeline) else Pipeline.load(pipeline)
    return open_runner(loaded, Path(artifacts), say=say).run(selection)


def open_runner(
    pipeline: Pipeline, artifacts: Path, *, draw: bool = True, say: Say | None = None
) -> Runner:
    """Reads the pipeline's data set and returns a runner of its stages.

    Args:
        pipeline: what to run.
        artifacts: the folder where results are kept.
        draw: draw the built-in data set if it is not there yet.
        say: takes one line at a time; by default they go to stderr.

    Raises:
        DatasetError: the data set cannot be read.
        DatasetMissingError: `draw` is off and the built-in data set has not been drawn.
    """
    with _without_collection():
        digests = DigestCache(artifacts / DIGESTS)
        encoder_stages, classes = open_pretrain(pipeline.settings, artifacts, digests, draw=draw)
        caption_stages, images = open_captioning(
            pipeline, artifacts, digests, encoder_stages, draw=draw
        )
        if draw:  # else nothing is to be written, and the folder may not be there yet
            with contextlib.suppress(OSError):  # told in words when a stage is to run
                artifacts.mkdir(parents=True, exist_ok=True)
        digests.save()
    if say is not None or draw:
        (say if say is not None else _say_on_stderr)("\n".join([*classes, *images]))
    stages = [*encoder_stages, *caption_stages]
    return Runner(stages, ArtifactStore(artifacts, digests), pipeline.name, say)


def open_pretrain(
    settings: Settings, artifacts: Path, digests: DigestCache, *, draw: bool
) -> tuple[list[Stage], list[str]]:
    """Returns the stage that trains the encoder, if there is one, and what it learns from."""
    if settings.pretrain is None:
        return [], []
    folders = open_class_folders(settings.pretrain, artifacts, draw=draw)
    pretraining = Pretraining(settings.backbone, settings.pretrain, folders, digests)
    return [pretrain.declare(pretraining)], [folders.describe()]


def open_captioning(
    pipeline: Pipeline,
    artifacts: Path,
    digests: DigestCache,
    encoder_stages: Sequence[Stage],
    *,
    draw: bool,
) -> tuple[list[Stage], list[str]]:
    """Returns the stages over a data set with captions, if there is one, and what it holds."""
    settings = pipeline.settings
    if settings.dataset is None:
        return [], []
    dataset = open_dataset(settings.dataset, artifacts, draw=draw)
    sources = Sources(
        settings,
        dataset,
        digests,
        pipeline.name,
        pipeline.command(),
        pretrained=encoder_stages[0].inputs if encoder_stages else None,
    )
    return declare_stages(sources), [describe_dataset(dataset)]


def declare_stages(sources: Sources) -> list[Stage]:
    """Returns the stages over a data set that the settings ask for, each after those it needs."""
    stages = [build, extract, tokenize, train, evaluate]
    if sources.settings.train.features is not None:  # features made elsewhere: nothing to encode
        stages = [tokenize, train, evaluate]
    return [stage.declare(sources) for stage in stages]


def open_class_folders(
    section: PretrainSection, artifacts: Path, *, draw: bool = True
) -> ClassFolders:
    """Lists the labelled images that a pipeline names; see `open_runner`."""
    path = Path(section.path) if section.path else _objects_folder(section, artifacts)
    if section.format == "objects" and not path.exists():
        if not draw:
            raise _not_drawn("objects", path)
        from captioner.datasets.scenes.single_objects import draw_objects

        with hold_lock(artifacts):
            draw_objects(path, num_images=section.num_images, seed=section.split_seed)
    return read_class_folders(
        path,
        dev=Path(section.dev) if section.dev else None,
        dev_fraction=section.dev_fraction,
        seed=section.split_seed,
    )


def open_dataset(
    section: DatasetSection | None, artifacts: Path, *, draw: bool = True
) -> CaptionDataset:
    """Reads the data set that a pipeline names; see `open_runner`."""
    if section is None:
        raise ConfigError("This pipeline has no section [dataset]: it only trains an encoder.")
    path = Path(section.path) if section.path else _scenes_folder(section, artifacts)
    if section.format == "scenes" and not path.exists():
        if not draw:
            raise _not_drawn("scenes", path)
        from captioner.datasets.scenes.drawing import draw_scenes

        with hold_lock(artifacts):
            draw_scenes(path, num_images=section.num_images, seed=section.seed)
    return read_dataset(
        section.format,
        path,
        captions=section.captions,
        images=section.images,
        splits=section.splits,
        split_seed=section.split_seed,
        split_fractions=section.split_fractions,
    )


def describe_dataset(dataset: CaptionDataset) -> str:
    """Returns one line of what there is, and more of what was skipped or noticed."""
    sizes = ", ".join(f"{split} {size:,}" for split, size in dataset.split_sizes().items())
    text = f"{dataset.name}: {len(dataset.images):,} images ({sizes})"
    if dataset.skips:
        reasons = [f"{count:,} x {why}" for why, count in count_reasons(dataset.skips).items()]
        text += f"\n  skipped: {'; '.join(reasons)} (listed by tokenize in skipped.jsonl)"
    return "\n  ".join([text, *dataset.notes])


def _scenes_folder(section: DatasetSection, artifacts: Path) -> Path:
    name = f"scenes-v{SCENES_VERSION}-{section.num_images}-seed{section.seed}"
    return artifacts / "datasets" / name


def _objects_folder(section: PretrainSection, artifacts: Path) -> Path:
    name = f"objects-v{SCENES_VERSION}-{section.num_images}-seed{section.split_seed}"
    return artifacts / "datasets" / name


def _not_drawn(what: str, path: Path) -> DatasetMissingError:
    return DatasetMissingError(
        f"The {what} have not been drawn yet ({path} is missing); "
        "`captioner run` draws them and runs every stage."
    )


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Spares the search for garbage while records are made by the hundred thousand, all to stay."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _say_on_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
