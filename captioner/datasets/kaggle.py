"""The layout in which Kaggle spreads Flickr8k: `captions.txt`, a CSV file, beside `Images/`."""

from captioner.datasets.assembly import CaptionEntry, Contents, assemble, read_listed_images
from captioner.datasets.records import CaptionDataset
from captioner.datasets.rows import read_header, read_rows
from captioner.datasets.source import DatasetSource
from captioner.datasets.text_files import TextFile, read_text
from captioner.errors import DatasetError

HEADER = ("image", "caption")
IMAGE_FOLDERS = ("Images", "images")
NO_COMMA = "no comma between image and caption"


def read_kaggle(source: DatasetSource) -> CaptionDataset:
    """Reads `captions.txt` with the header `image,caption`, and `Images/`.

    Split lists, such as Flickr8k's own, are used where they lie there; else splits are drawn
    by image.

    Args:
        source: the folder, with whatever the user named beyond it.

    Raises:
        UsageError: a file or folder that the user named is missing.
        DatasetError: captions or images are missing, the header is another, an image is in
            two splits, or nothing is left.
    """
    path = source.caption_file("captions.txt")
    contents = Contents()
    _read_captions(read_text(path), contents)
    read_listed_images(source, contents, path.parent, source.root)
    return assemble(source, contents, source.image_folder(*IMAGE_FOLDERS))


def _read_captions(file: TextFile, contents: Contents) -> None:
    contents.add_file(file)
    header = read_header(file, ",")
    if header != HEADER:
        raise DatasetError(
            f"{file.path} must begin with the line `image,caption`. Received: "
            f"{', '.join(header)[:200]!r}. For other columns, use the format `table`; for lines "
            "such as `image.jpg#0<tab>caption`, use `flickr8k`."
        )
    for row in read_rows(file, ",", HEADER[1:]):
        if "caption" in row.fields:
            image_name = row.fields["image"].strip()
            contents.entries.append(CaptionEntry(image_name, row.fields["caption"], row.item))
        else:
            contents.skip(row.item, NO_COMMA)
