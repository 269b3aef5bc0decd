"""Who is let in: Host, Origin, token; and what every answer carries."""

import pytest
from small_server import photograph, serve

from captioner.serving.gate import Rules

TOKEN = "a-token-of-some-length"
OPEN = Rules(frozenset({"studio.lan"}), takes_addresses=True, token=TOKEN)


@pytest.fixture(scope="module")
def guarded():
    with serve(rules=OPEN) as client:
        yield client


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8000", "localhost:99", "LOCALHOST", "[::1]:8000"]
)
def test_this_machine_goes_by_its_own_names(client, host):
    assert client.get("/health", headers={"Host": host}).json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/", "/health"])
def test_monitors_may_ask_for_the_head_alone(client, path):
    response = client.head(path)
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "192.168.0.7",
        "",
        "[::1",
        "localhost@evil.example:8000",
        "evil.example#localhost",
    ],
)
def test_a_rebound_name_is_refused(client, host):
    response = client.get("/", headers={"Host": host})
    assert response.status_code == 421
    assert "--allow-host" in response.json()["error"]


@pytest.mark.parametrize(
    ("host", "status"),
    [("192.168.0.7:8000", 200), ("[fe80::1]:8000", 200), ("studio.lan", 200), ("evil.lan", 421)],
)
def test_a_server_for_others_goes_by_addresses_and_the_names_it_was_given(guarded, host, status):
    assert guarded.get("/health", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://127.0.0.1:8000", 200),
        ("http://localhost:8000", 403),
        ("http://127.0.0.1:9000", 403),
        ("https://evil.example", 403),
        ("null", 403),
        ("http://evil.example@127.0.0.1:8000", 403),
        ("", 403),
    ],
)
def test_other_pages_cannot_send_photographs(client, origin, status):
    headers = {} if origin is None else {"Origin": origin}
    files = {"images": ("a.png", photograph())}
    assert client.post("/api/captions", files=files, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({}, "", 401),
        ({"Authorization": f"Bearer {TOKEN}"}, "", 200),
        ({"Authorization": f"bearer {TOKEN}"}, "", 200),
        ({"Authorization": f"Bearer {TOKEN}x"}, "", 401),
        ({"Authorization": TOKEN}, "", 401),
        ({}, f"?token={TOKEN}", 200),
        ({}, "?token=", 401),
        ({}, "?token=caf%C3%A9", 401),
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/model", "/openapi.json"])
def test_the_token_opens_every_address(guarded, path, headers, query, status):
    assert guarded.get(path + query, headers=headers).status_code == status


def test_the_description_says_how_to_send_the_token(client, guarded):
    url = f"/openapi.json?token={TOKEN}"
    assert guarded.get(url).json()["components"]["securitySchemes"]["HTTPBearer"]["scheme"]
    assert "securitySchemes" not in client.get(url).json()["components"]


def test_photographs_are_taken_with_the_header_alone(guarded):
    files = {"images": ("a.png", photograph())}
    refused = guarded.post(f"/api/captions?token={TOKEN}", files=files)
    assert refused.status_code == 401
    assert "Authorization: Bearer TOKEN" in refused.json()["error"]
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert guarded.post("/api/captions", files=files, headers=headers).status_code == 200


def test_a_person_without_the_token_gets_a_page_that_asks_for_it(guarded):
    response = guarded.get("/", headers={"Accept": "text/html"})
    assert response.status_code == 401
    assert "asks for its token" in response.text
    assert guarded.get("/health").status_code == 200


@pytest.mark.parametrize("path", ["/", "/health", "/nowhere", "/openapi.json"])
def test_every_answer_carries_the_headers(client, path):
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert not {"set-cookie", "access-control-allow-origin", "server"} & set(headers)
