"""Reading uploads: any cut of the body gives the same files, and limits are told in words."""

import asyncio
import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captioner.errors import UsageError
from captioner.serving.limits import Limits, RefusedError, Room
from captioner.serving.uploads import read_uploads

TYPE = "multipart/form-data; boundary=XX"
SMALL = Limits(file_bytes=100, num_files=3, body_bytes=1000, held_bytes=1500, num_requests=2)


def body_of(*files: tuple[str, bytes], end: bytes = b"--XX--\r\n") -> bytes:
    head = 'Content-Disposition: form-data; name="images"; filename="{}"\r\n\r\n'
    parts = (b"--XX\r\n" + head.format(name).encode() + content for name, content in files)
    return b"".join(part + b"\r\n" for part in parts) + end


def read(body: bytes, cuts: tuple[int, ...] = (), *, kind: str = TYPE, limits: Limits = SMALL):
    """Returns (name, content, is too large) of the uploads in a body that arrives in pieces."""
    edges = [0, *sorted(cuts), len(body)]

    async def stream():
        for start, end in itertools.pairwise(edges):
            yield body[start:end]

    with Room(limits).enter() as share:
        uploads = asyncio.run(read_uploads(kind, stream(), limits, share))
    return [(upload.name, bytes(upload.content), upload.is_too_large) for upload in uploads]


@settings(max_examples=60, deadline=None)
@given(
    contents=st.lists(st.binary(max_size=60), min_size=1, max_size=3),
    cuts=st.lists(st.integers(0, 90), max_size=6).map(tuple),
)
def test_any_cut_of_a_body_gives_the_same_files(contents, cuts):
    files = [(f"photo {i} \N{SNOWMAN}.jpg", content) for i, content in enumerate(contents)]
    assert read(body_of(*files), cuts) == [(name, content, False) for name, content in files]


def test_a_large_photograph_is_dropped_and_the_others_stay():
    files = ("a.jpg", b"a" * 100), ("b.jpg", b"b" * 101), ("c.jpg", b"c")
    assert read(body_of(*files)) == [
        ("a.jpg", b"a" * 100, False),
        ("b.jpg", b"", True),
        ("c.jpg", b"c", False),
    ]


def test_names_in_the_older_way_of_writing_them_are_read():
    head = "Content-Disposition: form-data; name=\"images\"; filename*=utf-8''caf%C3%A9.jpg"
    body = f"--XX\r\n{head}\r\n\r\nphoto\r\n--XX--\r\n".encode()
    assert read(body) == [("café.jpg", b"photo", False)]


def test_fields_without_a_file_are_passed_over():
    field = b'--XX\r\nContent-Disposition: form-data; name="images"\r\n\r\ntext\r\n'
    empty = b'--XX\r\nContent-Disposition: form-data; name="images"; filename=""\r\n\r\n\r\n'
    assert read(field + empty + body_of(("a.jpg", b"a"))) == [("a.jpg", b"a", False)]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"", 400, "holds no photograph"),
        (b"--XX--\r\n", 400, "holds no photograph"),
        (body_of(("a.jpg", b"a"), end=b""), 400, "ended in the middle of a file"),
        (body_of(("a.jpg", b"a"))[:-30], 400, "ended in the middle of a file"),
        (b"no form at all", 400, "is no multipart form"),
        (body_of(*[("a.jpg", b"a")] * 4), 413, "at most 3 photographs"),
        (body_of(("a.jpg", b"a" * 1000)), 413, "at most 0.001 MB, and a photograph at most"),
    ],
)
def test_what_cannot_be_taken_is_refused_in_words(body, status, text):
    with pytest.raises(RefusedError, match=re.escape(text)) as refused:
        read(body)
    assert refused.value.status == status


@pytest.mark.parametrize("kind", ["", "image/jpeg", "multipart/form-data", "text/plain;boundary=X"])
def test_another_kind_of_body_is_refused_with_an_example(kind):
    with pytest.raises(RefusedError, match=r"curl -F images=@beach\.jpg") as refused:
        read(body_of(("a.jpg", b"a")), kind=kind)
    assert refused.value.status == 415


@pytest.mark.parametrize("limits", [{"idle_seconds": 0.01}, {"upload_seconds": 0.01}])
def test_a_slow_upload_is_given_up(limits):
    async def stream():
        for _ in range(1000):
            yield b"--XX\r\n"[:0]
            await asyncio.sleep(0.02)

    async def run():
        slow = Limits(**limits)
        with Room(slow).enter() as share:
            await read_uploads(TYPE, stream(), slow, share)

    with pytest.raises(RefusedError, match="took too long") as refused:
        asyncio.run(run())
    assert refused.value.status == 408


def test_a_room_is_bounded_in_requests_and_bytes_and_takes_both_back():
    room = Room(SMALL)
    with room.enter() as first, room.enter() as second:
        first.take(1000)
        with pytest.raises(RefusedError, match="holds as many photographs as it can") as full:
            second.take(501)
        with pytest.raises(RefusedError, match="busy with 2 requests") as busy, room.enter():
            pass
        second.take(500)
    with room.enter() as third:
        third.take(1500)
    assert (full.value.status, busy.value.status) == (503, 503)


def test_limits_follow_the_size_of_photographs():
    limits = Limits.for_photographs(200_000_000, 5)
    assert limits.file_bytes < limits.body_bytes < limits.held_bytes
    with pytest.raises(UsageError, match=r"`num_files` is above 0. Received: 0"):
        Limits(num_files=0)
