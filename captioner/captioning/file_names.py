"""File names as text, without loss.

On Linux a file name is bytes, and Python keeps bytes that are not UTF-8 as lone surrogates.
Few readers of JSON and CSV accept those. So a row holds a readable `path`, and where that is
not the whole truth the exact bytes beside it, as `path_base64`.
"""

import base64
import os
from collections.abc import Mapping
from typing import Any

PATH = "path"
_EXACT = "_base64"
EXACT_PATH = PATH + _EXACT
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_ESCAPES = {
    ord("\\"): "\\\\",
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
}


def is_unicode(name: str) -> bool:
    """Tells whether a file name is text, and not bytes in disguise."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def readable(name: str) -> str:
    """Returns the name with each byte that is not UTF-8 shown as U+FFFD."""
    if is_unicode(name):
        return name
    return "".join(_REPLACEMENT if "\ud800" <= c <= "\udfff" else c for c in name)


def name_fields(name: str, key: str = PATH) -> dict[str, str]:
    """Returns the fields of a row that hold a file name: `key`, and `key`_base64 where needed.

    Example:
        >>> name_fields("caf\\u00e9.jpg")
        {'path': 'caf\u00e9.jpg'}
        >>> name_fields("caf\\udce9.jpg")  # Latin-1 on disk
        {'path': 'caf\ufffd.jpg', 'path_base64': 'Y2Fm6S5qcGc='}
    """
    if is_unicode(name):
        return {key: name}
    exact = base64.b64encode(os.fsencode(name)).decode("ascii")
    return {key: readable(name), key + _EXACT: exact}


def name_from_fields(row: Mapping[str, Any], key: str = PATH) -> str:
    """Returns the name that `name_fields` was given.

    Raises:
        KeyError: there is no such name in the row.
        ValueError: the exact bytes are not base64.
    """
    exact = row.get(key + _EXACT)
    return os.fsdecode(base64.b64decode(exact, validate=True)) if exact else str(row[key])


def one_line(name: str) -> str:
    """Returns the name for a line of text: backslash, line ends and tabs are escaped as in C."""
    return name.translate(_ESCAPES)


def as_bytes(name: str) -> bytes:
    """Returns the name as the bytes on disk, for standard output."""
    try:
        return os.fsencode(name)
    except UnicodeEncodeError:  # a locale narrower than UTF-8
        return name.encode("utf-8", "surrogateescape")
