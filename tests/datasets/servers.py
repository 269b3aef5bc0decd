"""A small HTTP server that fails in the ways in which servers fail."""

import threading
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """Serves `files` by name and remembers what was asked for.

    Args:
        files: content by path, without the leading slash.
        ranges: answer requests for a part with a part.
        cut_after: close the connection after so many bytes of a body; one entry a request.
        claim: bytes to add to the announced length.
        statuses: answer with these codes first, one a request.
        etag: what `ETag` says; None sends none.
    """

    files: dict[str, bytes]
    ranges: bool = True
    cut_after: list[int] = field(default_factory=list)
    claim: int = 0
    statuses: list[int] = field(default_factory=list)
    etag: str | None = '"one"'
    requests: list[str | None] = field(default_factory=list)  # each one's Range

    def __enter__(self) -> "FileServer":
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, served: FileServer, *args: object) -> None:
        self._served = served
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        served, wanted = self._served, self.headers.get("Range")
        served.requests.append(wanted)
        body = served.files.get(self.path.lstrip("/"))
        if served.statuses or body is None:
            self.send_error(served.statuses.pop(0) if served.statuses else 404)
            return
        start = 0
        same = self.headers.get("If-Range") in (None, served.etag)
        if wanted is not None and served.ranges and same:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        if served.etag is not None:
            self.send_header("ETag", served.etag)
        self.send_header("Content-Length", str(len(body) - start + served.claim))
        self.end_headers()
        body = body[start:]
        self.wfile.write(body[: served.cut_after.pop(0)] if served.cut_after else body)

    def log_message(self, *_: object) -> None:
        """Keeps the test's output clean."""
