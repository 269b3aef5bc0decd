"""Real sockets: clients that are slow, leave, or send too much; signals; addresses."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from small_server import photograph

from captioner.cli.app import run_command_line
from captioner.errors import UsageError
from captioner.serving.server import bind, is_local

SCRIPT = Path(__file__).with_name("slow_server.py")
PROJECT = SCRIPT.parents[2]
HEAD = 'Content-Disposition: form-data; name="images"; filename="a.png"'
KIND = {"Content-Type": "multipart/form-data; boundary=XX"}


class Server:
    """A server in a process of its own."""

    def __init__(self) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as this
        self.process = subprocess.Popen(
            [sys.executable, SCRIPT],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
        )
        self.port = int(self.read_line())

    def read_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def errors(self) -> str:
        """Returns what it wrote to standard error so far."""
        self._errors.seek(0)
        return self._errors.read()

    def ask(self, content: bytes) -> tuple[int, bytes]:
        """Sends a photograph; returns status and answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", "/api/captions", form_of(content), KIND)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def begin(self, announced: int, sent: bytes) -> socket.socket:
        """Sends the beginning of a request."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        lines = [
            "POST /api/captions HTTP/1.1",
            "Host: 127.0.0.1",
            f"Content-Type: {KIND['Content-Type']}",
            f"Content-Length: {announced}",
        ]
        client.sendall("\r\n".join([*lines, "", ""]).encode() + sent)
        return client


def form_of(content: bytes) -> bytes:
    return f"--XX\r\n{HEAD}\r\n\r\n".encode() + content + b"\r\n--XX--\r\n"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.process.kill()
    server.process.wait()


def test_bad_clients_do_no_harm_and_the_end_loses_no_request(server):
    body = form_of(photograph())
    server.begin(len(body), body[:60]).close()  # a broken upload
    slow = server.begin(len(body), body[:60])
    status, answer = server.ask(bytes(100_000_000))
    assert (status, b"at most 64 MB" in answer) == (413, True)
    assert server.ask(photograph())[0] == 200
    assert slow.recv(12) == b"HTTP/1.1 408"
    assert server.read_line() == "captioning"

    with ThreadPoolExecutor(1) as threads:
        in_flight = threads.submit(server.ask, photograph("lime"))
        assert server.read_line() == "captioning"
        server.process.send_signal(signal.SIGTERM)
        status, answer = in_flight.result()
    assert (status, b"colour 0 255 0" in answer) == (200, True)
    assert server.read_line() == "ended"
    assert server.process.wait(30) == 0
    with pytest.raises(ConnectionRefusedError):
        server.ask(photograph())


def test_connections_that_ask_for_nothing_do_not_keep_others_out(server):
    """Half of them are silent, half begin a request; one sends a little now and then."""
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(512)]
    for client in idle[::2]:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    assert server.ask(photograph())[0] == 503
    deadline = time.monotonic() + 30
    while server.ask(photograph())[0] == 503 and time.monotonic() < deadline:
        with contextlib.suppress(ConnectionError):
            idle[0].sendall(b"X-More: 1\r\n")  # does not prolong it
        time.sleep(0.2)
    assert server.ask(photograph())[0] == 200
    for client in idle[:4]:
        client.settimeout(5)
        with contextlib.suppress(ConnectionResetError):  # its last line came too late
            assert client.recv(100) == b""


def test_a_slow_upload_is_not_cut_off_as_an_idle_connection(server):
    body = form_of(photograph())
    client = server.begin(len(body), body[:20])
    for place in range(20, len(body), 20):  # longer altogether than a head may take
        time.sleep(3 * 20 / len(body))
        client.sendall(body[place : place + 20])
    assert client.recv(12) == b"HTTP/1.1 200"


def test_a_second_interrupt_ends_at_once_and_without_tracebacks(server):
    with ThreadPoolExecutor(4) as threads:
        in_flight = [threads.submit(server.ask, photograph()) for _ in range(4)]
        assert server.read_line() == "captioning"
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(10) == 0
        for asked in in_flight:
            assert asked.exception() is not None or asked.result()[0] == 500
    assert server.errors() == ""


def test_an_address_that_is_taken_is_a_slip(capsys):
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"127\.0\.0\.1, port {port}: .*Choose another"):
            bind("127.0.0.1", port)
        assert run_command_line(["serve", "--port", str(port)]) == 2
    assert "Choose another --port" in capsys.readouterr().err


@pytest.mark.parametrize(("host", "expected"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_what_others_can_reach_is_known_by_its_address(host, expected):
    with bind(host, 0) as listener:
        assert is_local(listener) is expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--token", "short"], "A token has 16 characters or more"),
        (["--token", "schlüssel-zum-haus"], "of ASCII and no blanks"),
        (["--token", "a long token of words"], "of ASCII and no blanks"),
        (["--token", " abcdefghijklmnopq"], "of ASCII and no blanks"),
        (["--token", "abcdefghijklmnopq\n"], "of ASCII and no blanks"),
        (["--background", "blurple"], "'blurple'"),
        (["--model", "nothing-here"], "There is no trained model at 'nothing-here'"),
        (["--host", "a..b"], "cannot listen at a..b, port 0: this is no name of a machine"),
        (["--max-size", "nan"], "a number of megabytes. Received: nan"),
        (["--max-size", "1e305"], "a number of megabytes. Received: 1e+305"),
        (["--max-size", "inf"], "a number of megabytes. Received: inf"),
        (["--host", "no.such.host.invalid"], "cannot listen at no.such.host.invalid"),
        (["--max-size", "0"], "0.0 is not in the range"),
    ],
)
def test_slips_have_exit_code_2(capsys, arguments, message):
    assert run_command_line(["serve", "--port", "0", *arguments]) == 2
    assert message in capsys.readouterr().err
