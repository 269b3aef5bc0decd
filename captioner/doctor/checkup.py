"""Everything that can be known of a pipeline before it runs, in the order of a run.

Nothing is written, drawn or downloaded.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from captioner.backbones.registry import find_spec
from captioner.config import Pipeline
from captioner.datasets.records import CaptionDataset
from captioner.doctor import machine
from captioner.doctor.dataset import check_dataset
from captioner.doctor.encoder import check_encoder
from captioner.doctor.finding import Finding, fine, note, problem
from captioner.doctor.installation import check_installation
from captioner.errors import CaptionerError, ConfigError, DatasetMissingError
from captioner.feature_kinds import mirror_kind
from captioner.features.pickles import read_features_pickle
from captioner.settings import DatasetSection, PretrainSection
from captioner.stages.chain import open_class_folders, open_dataset


def check_up(
    pipeline: Pipeline,
    artifacts: Path,
    path_faults: str | None,
    load_tensorflow: Callable[[], None],
) -> Iterator[Finding]:
    """Yields finding after finding, each as soon as it is made.

    Args:
        pipeline: what is to be run.
        artifacts: where its results would be kept.
        path_faults: what `find_path_faults` said.
        load_tensorflow: called before this process uses TensorFlow, and only once TensorFlow is
            known to load.
    """
    can_load = True
    for finding in check_installation():
        can_load = can_load and (finding.subject, finding.verdict) != ("tensorflow", "problem")
        yield finding
    if path_faults is not None:
        yield problem("pipeline", path_faults, "name paths that exist: --set dataset.path=DIR")
    settings = pipeline.settings
    if settings.train.features is None:
        yield from check_encoder(settings.backbone, load_tensorflow if can_load else None)
    else:
        yield _check_pickle(Path(settings.train.features))
    if settings.pretrain is not None:
        yield _check_classes(settings.pretrain, artifacts)
    images = 0
    if settings.dataset is not None:
        dataset, findings = _read(settings.dataset, artifacts, settings.evaluate.split)
        yield from findings
        images = settings.dataset.num_images if dataset is None else len(dataset.images)
    yield from _check_machine(pipeline, artifacts, images)


def find_path_faults(source: str, overrides: tuple[str, ...]) -> str | None:
    """Returns what is wrong with the paths of a pipeline that is sound otherwise, or None."""
    try:
        Pipeline.load(source, overrides, check_paths=True)
    except ConfigError as error:
        return str(error)
    return None


def _read(
    section: DatasetSection, artifacts: Path, scored: str
) -> tuple[CaptionDataset | None, list[Finding]]:
    try:
        dataset = open_dataset(section, artifacts, draw=False)
    except DatasetMissingError:
        text = f"{section.num_images:,} scenes will be drawn by the first run"
        return None, [note("data set", text)]
    except (CaptionerError, OSError) as error:
        remedy = "set dataset.path, dataset.captions and dataset.images to where they lie"
        return None, [problem("data set", str(error), remedy)]
    return dataset, list(check_dataset(dataset, scored))


def _check_classes(section: PretrainSection, artifacts: Path) -> Finding:
    try:
        folders = open_class_folders(section, artifacts, draw=False)
    except DatasetMissingError:
        return note("classes", f"{section.num_images:,} objects will be drawn by the first run")
    except (CaptionerError, OSError) as error:
        return problem("classes", str(error), "set pretrain.path to a folder of class folders")
    return fine("classes", folders.describe())


def _check_pickle(path: Path) -> Finding:
    try:
        features = read_features_pickle(path)
    except (CaptionerError, OSError) as error:
        return problem("features", str(error), "set train.features to a features.pkl, or to none")
    width = features.shapes["vector"][0]
    return fine("features", f"{path}: {len(features.image_ids):,} images, {width:,} wide")


def _check_machine(pipeline: Pipeline, artifacts: Path, images: int) -> Iterator[Finding]:
    settings = pipeline.settings
    spec = find_spec(settings.backbone.name)
    if settings.backbone.input_size is not None:
        spec = spec.resized(settings.backbone.input_size)
    shapes: dict[str, tuple[int, ...]] = {"vector": (spec.vector_width,)}
    grid = machine.estimate_grid(spec)
    if grid is not None:
        side = settings.extract.grid_side
        shapes["grid"] = grid if side is None else (side, side, grid[-1])
        if side is not None and side > min(grid[:2]):
            found = f"extract.grid_side = {side}, and {spec.title} has {grid[0]} x {grid[1]} places"
            yield problem("grid", found, "lower extract.grid_side, or leave it out")
    shapes |= {mirror_kind(kind): shape for kind, shape in shapes.items()}
    known = set(settings.feature_kinds) <= set(shapes)
    features = machine.estimate_features(settings, shapes, images) if known else 0
    yield from machine.check_disk(artifacts, machine.estimate_disk(features, images))
    yield machine.check_memory(machine.estimate_memory(spec, features))
