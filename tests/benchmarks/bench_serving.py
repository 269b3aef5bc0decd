"""Measures what batching gives: 16 clients at once against one client that waits for each answer.

    python tests/benchmarks/bench_serving.py FOLDER [--requests 200] [--batch-size 8 1]

Each batch size gets a server of its own, with the model that ships. Every request holds one
photograph. A server with batches of 1 is the other yardstick: what an image costs at best when
it is never captioned together with others.
"""

import itertools
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from harness import captioner, make_parser, print_table, time_once

from captioner.captioning.folders import list_folder

NUM_CLIENTS = 16
BOUNDARY = "bench"


@contextmanager
def server(batch_size: int) -> Iterator[str]:
    """Starts a server; yields the address where it takes photographs."""
    command = captioner("serve", "--port", 0, "--batch-size", batch_size)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None, "the server did not start"
        yield found[0] + "api/captions"
    finally:
        process.terminate()
        process.wait(60)


def ask(url: str, content: bytes) -> None:
    """Sends one photograph and waits for its caption."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="images"; filename="p.jpg"\r\n\r\n'
    )
    body = head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    with urllib.request.urlopen(urllib.request.Request(url, body, kind), timeout=300) as answer:
        answer.read()


def images_per_second(url: str, contents: list[bytes], num_clients: int) -> float:
    """Returns the rate at which so many clients get their captions."""
    with ThreadPoolExecutor(num_clients) as clients:
        cost = time_once(lambda: list(clients.map(lambda content: ask(url, content), contents)))
    return len(contents) / cost.seconds


def main() -> None:
    """Prints a line of the table for each batch size."""
    parser = make_parser(__doc__)
    parser.add_argument("folder")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--batch-size", type=int, nargs="+", default=[8, 1])
    options = parser.parse_args()
    listed = itertools.cycle(list_folder(options.folder))
    contents = [Path(i.path).read_bytes() for i in itertools.islice(listed, options.requests)]
    rows = []
    for batch_size in options.batch_size:
        with server(batch_size) as url:
            ask(url, contents[0])
            alone = images_per_second(url, contents[: len(contents) // 4], 1)
            together = images_per_second(url, contents, NUM_CLIENTS)
        rates = [f"{alone:.1f}/s", f"{together:.1f}/s", f"{together / alone:.1f}"]
        rows.append([str(batch_size), *rates])
    print_table("Serving", ["batches of", "one client", f"{NUM_CLIENTS} clients", "times"], rows)


if __name__ == "__main__":
    main()
