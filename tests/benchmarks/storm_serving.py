"""Storms the server with the model that ships, and tells what became of every request.

    python tests/benchmarks/storm_serving.py FOLDER [--requests 200] [--storms 3]

Each storm sends requests with one photograph each from 16 clients at once, every tenth of them a
bad file. Meanwhile a client sends its photograph drop by drop, one breaks off in the middle of an
upload, and one sends 100 MB. Every request must have its answer: 200 for a photograph, 422 for a
bad file, 413 for the 100 MB, 408 or an answer for the slow client. Memory is read after each
storm; after the last the server is ended by SIGTERM with requests in flight, and a second server
by SIGINT: the requests must be answered and the exit code be 0.
"""

import contextlib
import http.client
import itertools
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import make_parser

from captioner.captioning.folders import list_folder

NUM_CLIENTS = 16
BOUNDARY = "storm"
KIND = f"multipart/form-data; boundary={BOUNDARY}"
BAD = (b"", b"<html>", b"\xff\xd8\xff\xe0 torn", b"\0" * 5000)
HUGE = 100_000_000


class Server:
    """A server in a process of its own."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "captioner", "serve", "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        found = re.search(r"http://[^:]+:(\d+)/", self.process.stdout.readline())
        assert found is not None, "the server did not start"
        self.port = int(found[1])

    def ask(self, content: bytes, name: str = "p.jpg") -> tuple[int, str]:
        """Sends a photograph; returns the status and its caption or error."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        with contextlib.closing(connection):
            body = form(content, name)
            connection.request("POST", "/api/captions", body, {"Content-Type": KIND})
            answer = connection.getresponse()
            told = json.loads(answer.read())
        (result,) = told["results"]
        assert result["name"] == name, f"{name} has the answer of {result['name']}"
        return answer.status, result["caption"] or result["error"]

    def megabytes(self) -> float:
        """Returns its resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024

    def end(self, number: signal.Signals) -> tuple[int, float]:
        """Sends a signal; returns the exit code, and the seconds until then."""
        started = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(120), time.monotonic() - started


def form(content: bytes, name: str) -> bytes:
    """Returns a form with one photograph."""
    head = f'Content-Disposition: form-data; name="images"; filename="{name}"'
    return b"".join(
        [f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode(), content, f"\r\n--{BOUNDARY}--\r\n".encode()]
    )


@contextlib.contextmanager
def begun(server: Server, length: int) -> Iterator[socket.socket]:
    """Opens a connection and announces a body."""
    client = socket.create_connection(("127.0.0.1", server.port), timeout=300)
    lines = ["POST /api/captions HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {KIND}"]
    with client:
        head = "\r\n".join([*lines, f"Content-Length: {length}", "", ""])
        client.sendall(head.encode())
        yield client


def status_of(client: socket.socket) -> str:
    """Returns the status line's number, or what came instead."""
    with contextlib.suppress(OSError):
        return client.recv(4096).decode("latin-1").split(" ")[1]
    return "connection closed"


def send_slowly(server: Server, content: bytes) -> str:
    """Sends a photograph in fifty drops, a tenth of a second apart."""
    body = form(content, "slow.jpg")
    step = len(body) // 50 + 1
    with begun(server, len(body)) as client:
        for first in range(0, len(body), step):
            client.sendall(body[first : first + step])
            time.sleep(0.1)
        return status_of(client)


def break_off(server: Server, content: bytes) -> str:
    """Leaves in the middle of an upload."""
    with begun(server, len(content)) as client:
        client.sendall(form(content, "broken.jpg")[: len(content) // 2])
    return "gone"


def send_huge(server: Server) -> str:
    """Sends 100 MB, or as much of it as the server takes."""
    with begun(server, HUGE) as client:
        with contextlib.suppress(OSError):
            for _ in range(HUGE // 1_000_000):
                client.sendall(bytes(1_000_000))
        return status_of(client)


def storm(server: Server, contents: list[bytes]) -> tuple[Counter[str], float]:
    """Sends everything at once; returns how often each thing came back, and the seconds."""
    odd = {
        "slow client": lambda: send_slowly(server, contents[0]),
        "broken upload": lambda: break_off(server, contents[0]),
        "100 MB": lambda: send_huge(server),
    }

    def ask(number: int) -> str:
        is_bad = number % 10 == 9
        content = BAD[number // 10 % len(BAD)] if is_bad else contents[number]
        status, text = server.ask(content, f"{number}.jpg")
        assert text, "neither caption nor error"
        return f"{'bad file' if is_bad else 'photograph'}: {status}"

    started = time.monotonic()
    with ThreadPoolExecutor(NUM_CLIENTS + len(odd)) as clients:
        others = {name: clients.submit(call) for name, call in odd.items()}
        came = Counter(clients.map(ask, range(len(contents))))
        seconds = time.monotonic() - started
        return came + Counter(f"{name}: {own.result()}" for name, own in others.items()), seconds


def end_in_flight(server: Server, contents: list[bytes], number: signal.Signals) -> None:
    """Ends a server with requests in flight and says what became of them."""
    with ThreadPoolExecutor(NUM_CLIENTS) as clients:
        asked = [clients.submit(server.ask, content) for content in contents[:NUM_CLIENTS]]
        threading.Event().wait(0.3)  # until all have been sent
        code, seconds = server.end(number)
        answered = sum(future.exception() is None for future in asked)
    print(
        f"{number.name} with {len(asked)} requests in flight: {answered} answered, exit code "
        f"{code} after {seconds:.1f} s",
        flush=True,
    )


def main() -> None:
    """Prints a line for each storm and each signal."""
    parser = make_parser(__doc__)
    parser.add_argument("folder")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--storms", type=int, default=3)
    options = parser.parse_args()
    listed = itertools.cycle(list_folder(options.folder))
    contents = [Path(i.path).read_bytes() for i in itertools.islice(listed, options.requests)]
    server = Server()
    server.ask(contents[0])
    print(f"memory before: {server.megabytes():.0f} MB", flush=True)
    for _ in range(options.storms):
        came, seconds = storm(server, contents)
        print(
            f"{seconds:.1f} s; {', '.join(f'{key} x {n}' for key, n in sorted(came.items()))}; "
            f"memory {server.megabytes():.0f} MB",
            flush=True,
        )
    end_in_flight(server, contents, signal.SIGTERM)
    end_in_flight(Server(), contents, signal.SIGINT)


if __name__ == "__main__":
    main()
