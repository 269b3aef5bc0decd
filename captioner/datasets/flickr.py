"""Flickr8k and Flickr30k as published: a token file, a folder of photographs, split lists.

Hodosh, Young and Hockenmaier 2013, "Framing Image Description as a Ranking Task";
Young et al. 2014, "From Image Descriptions to Visual Denotations".
"""

import re

from captioner.datasets.assembly import (
    DOUBLE_CAPTION,
    CaptionEntry,
    Contents,
    assemble,
    read_listed_images,
)
from captioner.datasets.records import CaptionDataset
from captioner.datasets.source import DatasetSource
from captioner.datasets.text_files import TextFile, read_text

TOKEN_FILES = (
    "Flickr8k.token.txt",
    "Flickr8k_text/Flickr8k.token.txt",
    "results_20130124.token",
    "flickr30k/results_20130124.token",
)
IMAGE_FOLDERS = (
    "Images",
    "images",
    "Flicker8k_Dataset",  # the spelling inside the published archive
    "Flickr8k_Dataset/Flicker8k_Dataset",
    "Flickr8k_Dataset",
    "flickr30k-images",
    "flickr30k_images/flickr30k_images",
    "flickr30k_images",
)
NO_TAB = "no tab between image and caption"
_CAPTION_ID = re.compile(r"(.+)#\d+")


def read_flickr(source: DatasetSource) -> CaptionDataset:
    """Reads a data set whose caption lines are `image.jpg#number<tab>caption`.

    Split lists are used when there are any; a split without a list is then empty, and an
    image in no list is skipped. Without lists, splits are drawn by image.

    Args:
        source: the folder, with whatever the user named beyond it.

    Raises:
        UsageError: a file or folder that the user named is missing.
        DatasetError: the token file or the images are missing, an image is in two splits,
            or nothing is left.
    """
    token_path = source.caption_file(*TOKEN_FILES)
    contents = Contents()
    read_token_lines(read_text(token_path), contents)
    read_listed_images(
        source, contents, token_path.parent, source.root, source.root / "Flickr8k_text"
    )
    return assemble(source, contents, source.image_folder(*IMAGE_FOLDERS))


def read_token_lines(file: TextFile, contents: Contents) -> None:
    """Adds the captions of a token file to `contents`."""
    contents.add_file(file)
    seen = set()
    for item, line in file.numbered():
        caption_id, tab, caption = line.partition("\t")
        caption_id = caption_id.strip()
        match = _CAPTION_ID.fullmatch(caption_id)
        if not tab:
            contents.skip(item, NO_TAB)
        elif match and caption_id in seen:
            contents.skip(item, DOUBLE_CAPTION)
        else:
            seen.add(caption_id)
            contents.entries.append(CaptionEntry(match[1] if match else caption_id, caption, item))
