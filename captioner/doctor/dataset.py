"""The data set of a pipeline: can it be read, is every split there, do its photographs open?"""

from collections.abc import Iterator, Sequence

from captioner.datasets.records import CaptionDataset, CaptionedImage, count_reasons
from captioner.doctor.finding import Finding, fine, note, problem
from captioner.errors import ImageError
from captioner.images import load_image

NUM_OPENED = 48  # photographs, evenly spread over the data set

_NEEDS = {
    "train": "name its list of training images, or set dataset.split_fractions",
    "dev": "dev decides when training stops: give a list of dev images, or set "
    "dataset.split_fractions",
}


def check_dataset(dataset: CaptionDataset, scored: str) -> Iterator[Finding]:
    """Yields what there is to say of a data set that could be read.

    Args:
        dataset: the data set.
        scored: the split that the pipeline scores.
    """
    sizes = dataset.split_sizes()
    listed = ", ".join(f"{split} {size:,}" for split, size in sizes.items())
    yield fine("data set", f"{dataset.name}: {len(dataset.images):,} images ({listed})")
    needs = {scored: f"score another split: --set evaluate.split={list(sizes)[-1]}", **_NEEDS}
    for split, remedy in needs.items():
        if split not in sizes:
            yield problem("splits", f"no image is in split {split}", remedy)
    yield fine("captions", _describe_captions(dataset))
    if dataset.skips:
        reasons = [f"{count:,} x {why}" for why, count in count_reasons(dataset.skips).items()]
        yield note("left out", "; ".join(reasons))
    for text in dataset.notes:
        yield note("data set", text)
    yield _open_some(dataset.images)


def _describe_captions(dataset: CaptionDataset) -> str:
    counts = [len(image.captions) for image in dataset.images]
    span = str(min(counts)) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
    return f"{sum(counts):,}, {span} an image"


def _open_some(images: Sequence[CaptionedImage]) -> Finding:
    chosen = images[:: -(-len(images) // NUM_OPENED)]
    faults = []
    for image in chosen:
        try:
            load_image(image.path)
        except ImageError as error:
            faults.append(str(error))
    text = f"{len(chosen) - len(faults)} of {len(chosen)} looked at can be opened"
    if len(faults) == len(chosen):
        return problem("photographs", f"{text}; {faults[0]}", "mend dataset.images")
    if faults:
        return note("photographs", f"{text}; {faults[0]}", "those that cannot are left out")
    return fine("photographs", text)
