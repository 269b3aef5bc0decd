"""Puts Flickr8k's photographs into class folders by what their captions agree on.

    python tests/benchmarks/make_flickr8k_kinds.py flickr8k kinds

An image is of a kind if three or more of its captions name it and none names another kind; so
each photograph shows exactly one of them. kinds/train/dog/... are training images, kinds/dev/...
dev images; the folders hold links, no copies.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from harness import make_parser

from captioner.datasets.formats import read_dataset

MIN_CAPTIONS = 3
CHILD = r"child|children|kid|kids|boy|girl|toddler|baby|infant"
INDOORS = (
    r"indoors|inside|room|kitchen|couch|sofa|bed|carpet|rug|crib|bathtub|living|table|highchair"
)
KINDS = {
    "beach": r"\b(beach|ocean|shore|seashore|surf|surfer|surfing|surfboard)\b",
    "bicycle": r"\b(bike|bikes|bicycle|bicycles|bicyclist|cyclist|bmx|biker)\b",
    "child_indoors": rf"\b({CHILD})\b.*\b({INDOORS})\b|\b({INDOORS})\b.*\b({CHILD})\b",
    "climbing": r"\b(climber|climbers|climbs|climbing)\b",
    "dog": r"\b(dog|dogs|puppy|puppies)\b",
    "football": r"\b(football|soccer)\b",
    "skateboard": r"\b(skateboard|skateboarder|skateboarding|skateboards)\b",
    "snow": r"\b(snow|snowy|snowboard|snowboarder|ski|skier|skiing|skis)\b",
}


def find_kind(captions: Sequence[str]) -> str | None:
    """Returns the only kind that the captions name, if enough of them do."""
    counts = Counter(
        kind
        for caption in captions
        for kind, pattern in KINDS.items()
        if re.search(pattern, caption.lower())
    )
    if len(counts) != 1:
        return None
    ((kind, count),) = counts.items()
    return kind if count >= MIN_CAPTIONS else None


def link_kinds(source: Path, folder: Path, most: int | None = None) -> None:
    """Links the images of each kind, or the first `most` of them, into folders of train and dev."""
    counts: Counter[tuple[str, str]] = Counter()
    for image in read_dataset("flickr8k", source).images:
        kind = find_kind(image.captions)
        place = (image.split, str(kind))
        is_full = most is not None and image.split == "train" and counts[place] >= most
        if kind is None or image.split == "test" or is_full:
            continue
        counts[place] += 1
        link = folder / image.split / kind / image.path.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(image.path.resolve())
    for (split, kind), count in sorted(counts.items()):
        print(f"{split:<6} {kind:<14} {count:>5}")


def main() -> None:
    """Links them and prints how many there are."""
    parser = make_parser(__doc__)
    parser.add_argument("source", type=Path, help="Flickr8k")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--most", type=int, help="training images of a kind")
    options = parser.parse_args()
    link_kinds(options.source, options.folder, options.most)


if __name__ == "__main__":
    main()
