"""Photographs out of a multipart body while it arrives, in memory and within limits.

Nothing is written to disk. What is too large is dropped at once and named in the answer, so one
oversized photograph does not fail the others of its request.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import Message

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from captioner.serving.limits import Limits, RefusedError, Share, megabytes

FIELD = "images"
_EXAMPLE = f"such as curl -F {FIELD}=@beach.jpg"
_MAX_NAME = 255


@dataclass(slots=True)
class Upload:
    """One photograph of a request.

    Args:
        name: the file name that it was sent with; shown and nothing else.
        content: of the file; empty where there is a fault.
        is_too_large: it has more bytes than a photograph may have.
    """

    name: str
    content: bytearray
    is_too_large: bool = False


async def read_uploads(
    content_type: str, stream: AsyncIterator[bytes], limits: Limits, share: Share
) -> list[Upload]:
    """Reads the photographs of a request.

    Args:
        content_type: the header of that name.
        stream: the body, piece by piece.
        limits: what is taken.
        share: where the bytes that are held are accounted for.

    Raises:
        RefusedError: the body is no multipart form, is broken or slow, or exceeds a limit.
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise RefusedError(415, f"Send photographs as multipart/form-data, {_EXAMPLE}.")
    try:
        form = _Form(options[b"boundary"], limits)
        await _receive(form, aiter(stream), limits, share)
        return form.finish()
    except FormParserError as error:
        raise RefusedError(400, f"The upload is no multipart form: {error}.") from error
    except TimeoutError as error:
        raise RefusedError(408, "The upload took too long to arrive. Send it again.") from error


async def _receive(
    form: "_Form", pieces: AsyncIterator[bytes], limits: Limits, share: Share
) -> None:
    """Feeds a form with what arrives, as long as it keeps arriving."""
    async with asyncio.timeout(limits.upload_seconds):
        while True:
            async with asyncio.timeout(limits.idle_seconds):
                piece = await anext(pieces, None)
            if piece is None:
                return
            share.take(len(piece))
            form.feed(piece)


class _Form:
    """The parser's callbacks: what is known of a form so far."""

    def __init__(self, boundary: bytes, limits: Limits) -> None:
        self._limits = limits
        self._uploads: list[Upload] = []
        self._current: Upload | None = None  # None while a part without a file name goes by
        self._header = (bytearray(), bytearray())
        self._file_name: str | None = None
        self._num_bytes = 0
        self._is_whole = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": lambda data, start, end: self._add(0, data[start:end]),
                "on_header_value": lambda data, start, end: self._add(1, data[start:end]),
                "on_header_end": self._end_header,
                "on_headers_finished": self._begin_content,
                "on_part_data": self._add_content,
                "on_end": self._end,
            },
        )

    def feed(self, piece: bytes) -> None:
        self._num_bytes += len(piece)
        if self._num_bytes > self._limits.body_bytes:
            raise too_large(self._limits)
        self._parser.write(piece)

    def finish(self) -> list[Upload]:
        if self._num_bytes and not self._is_whole:
            raise RefusedError(400, "The upload ended in the middle of a file. Send it again.")
        if not self._uploads:
            raise RefusedError(400, f"The request holds no photograph. Send some, {_EXAMPLE}.")
        return self._uploads

    def _begin_part(self) -> None:
        self._file_name = None
        self._header = (bytearray(), bytearray())

    def _add(self, which: int, data: bytes) -> None:
        self._header[which].extend(data)

    def _end_header(self) -> None:
        name, value = self._header
        if bytes(name).lower() == b"content-disposition":
            self._file_name = _find_file_name(bytes(value))
        self._header = (bytearray(), bytearray())

    def _begin_content(self) -> None:
        self._current = None
        if not self._file_name:  # a text field, or a file input that was left empty
            return
        if len(self._uploads) == self._limits.num_files:
            raise RefusedError(
                413,
                f"A request takes at most {self._limits.num_files} photographs. "
                "Send the others in a request of their own.",
            )
        self._current = Upload(self._file_name[:_MAX_NAME], bytearray())
        self._uploads.append(self._current)

    def _add_content(self, data: bytes, start: int, end: int) -> None:
        upload = self._current
        if upload is None or upload.is_too_large:
            return
        if len(upload.content) + end - start > self._limits.file_bytes:
            upload.is_too_large = True
            upload.content.clear()
            return
        upload.content += data[start:end]

    def _end(self) -> None:
        self._is_whole = True


def _find_file_name(disposition: bytes) -> str | None:
    _, options = parse_options_header(disposition)
    if b"filename" in options:
        return options[b"filename"].decode("utf-8", "replace")
    message = Message()  # reads `filename*` (RFC 2231), which older clients send
    message["Content-Disposition"] = disposition.decode("latin-1")
    return message.get_filename()


def too_large(limits: Limits) -> RefusedError:
    """Returns the refusal of a body that is larger than a request may be."""
    return RefusedError(
        413,
        f"A request takes at most {megabytes(limits.body_bytes)}, and a photograph at most "
        f"{megabytes(limits.file_bytes)}. Send fewer at a time, or smaller ones.",
    )
