"""collections.json: what stood in an artifact's collections, so that a change can be told later.

It has a line for each of perhaps a million images, and is written without holding them all.
"""

from collections.abc import Iterator, Mapping
from json.encoder import encode_basestring_ascii as quote
from pathlib import Path

from captioner.files import parse_json, replace_file, separate
from captioner.pipeline.fingerprint import Collection, Inputs

COLLECTIONS = "collections.json"


def write_collections(folder: Path, inputs: Inputs) -> None:
    """Writes the collections among a stage's inputs into its folder, whole or not at all."""
    chosen = {name: value for name, value in inputs.items() if isinstance(value, Collection)}
    with replace_file(folder / COLLECTIONS, "w") as file:
        file.writelines(_encode(chosen))


def read_collections(folder: Path) -> dict[str, Collection]:
    """Reads what `write_collections` wrote.

    Raises:
        OSError, ValueError, KeyError: there is nothing of the kind.
    """
    collections = parse_json((folder / COLLECTIONS).read_bytes())
    return {
        name: Collection(value["noun"], value["digests"]) for name, value in collections.items()
    }


def _encode(collections: Mapping[str, Collection]) -> Iterator[str]:
    yield "{"
    comma = ""
    for name, collection in collections.items():
        yield f'{comma}\n{quote(name)}: {{"noun": {quote(collection.noun)}, "digests": {{'
        pairs = collection.digests.items()
        yield from separate(f"{quote(name)}: {quote(digest)}" for name, digest in pairs)
        yield "\n}}"
        comma = ","
    yield "\n}\n"
