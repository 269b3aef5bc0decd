"""The JSON API: captions, bad files, limits, its own description."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from awkward import bomb
from fake_model import ColourEngine, LookingEngine
from small_server import photograph, serve

from captioner.serving.limits import Limits


def test_photographs_are_answered_in_their_order(send):
    response = send(photograph("red"), photograph((0, 0, 254), "JPEG"))
    answer = response.json()
    assert (response.status_code, answer["model"]) == (200, "colours")
    assert [result["caption"] for result in answer["results"]] == [
        "colour 255 0 0",
        "colour 0 0 254",
    ]
    first = answer["results"][0]
    assert (first["name"], first["status"], first["error"]) == ("0.png", "done", None)
    assert 0 < first["confidence"] < 1
    assert first["log_prob"] < 0
    assert [other["caption"] for other in first["alternatives"]] == ["another colour"] * 2


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "is empty"),
        (b"<html>", "is no image: it holds an HTML page"),
        (photograph(side=200)[:60], "is damaged"),
        (bomb(20_000, 20_000), "has too many pixels"),
    ],
)
def test_a_bad_file_has_its_own_error_and_fails_no_other(send, content, error):
    response = send(photograph(), content, photograph("lime"))
    good, bad, other = response.json()["results"]
    assert response.status_code == 200
    assert (good["caption"], other["caption"]) == ("colour 255 0 0", "colour 0 255 0")
    assert (bad["status"], bad["caption"]) == ("failed", None)
    assert bad["error"].startswith(error)
    alone = send(content)
    assert alone.status_code == 422
    assert alone.json()["results"] == [{**bad, "name": "0.png"}]
    lenient = send(content, headers={"Prefer": "handling=lenient"})
    assert (lenient.status_code, lenient.json()) == (200, alone.json())


@pytest.mark.parametrize(("n_best", "num_others"), [(1, 0), (2, 1), (3, 2)])
def test_fewer_captions_can_be_asked_for(send, n_best, num_others):
    (result,) = send(photograph(), params={"n_best": n_best}).json()["results"]
    assert len(result["alternatives"]) == num_others


def test_where_each_word_looked_can_be_asked_for():
    with serve(LookingEngine(4, 3)) as client:

        def ask(**options):
            files = [("images", (f"{i}.png", photograph())) for i in range(3)]
            response = client.post("/api/captions", files=files, params=options)
            return response.json()["results"]

        for result in ask(attention=True, n_best=2):
            (other,) = result["alternatives"]
            for caption in (result, other):
                words = [word["word"] for word in caption["attention"]]
                assert words == caption["caption"].split()
                assert caption["attention"][1]["weights"] == [[0.075, 0.775], [0.075, 0.075]]
        for result in ask():
            assert result["attention"] is None
            assert [other["attention"] for other in result["alternatives"]] == [None, None]
        ground = client.get("/api/model").json()["attention"]
        assert ground == {"rows": 2, "columns": 2, "fit": "squash", "shape": 1.0}


def test_those_who_ask_and_those_who_do_not_share_a_batch():
    engine = LookingEngine(8, 1)

    def ask(number):
        response = client.post(
            "/api/captions",
            files={"images": (f"{number}.png", photograph((number, 0, 0)))},
            params={"attention": number % 2},
        )
        (result,) = response.json()["results"]
        return result["caption"], result["attention"] is not None

    with serve(engine, n_best=1) as client, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(32)))
    assert answers == [(f"colour {number} 0 0", bool(number % 2)) for number in range(32)]
    assert engine.num_calls < 32, "no batches were formed"


def test_a_model_without_attention_has_none_to_give(send, client):
    (result,) = send(photograph(), params={"attention": True}).json()["results"]
    assert (result["caption"], result["attention"]) == ("colour 255 0 0", None)
    assert client.get("/api/model").json()["attention"] is None


@pytest.mark.parametrize(
    ("n_best", "text"), [(0, "greater than or equal to 1"), (4, "less than or equal to 3")]
)
def test_a_slip_in_the_request_is_told(send, n_best, text):
    response = send(photograph(), params={"n_best": n_best})
    assert response.status_code == 422
    assert response.json()["error"].startswith("n_best: ")
    assert text in response.json()["error"]


def test_names_come_back_as_they_are(client):
    names = [
        "<script>alert(1)</script>.png",
        'quo"te.png',
        "\N{HEBREW LETTER ALEF}.png",
        "../a.png",
    ]
    files = [("images", (name, photograph())) for name in names]
    results = client.post("/api/captions", files=files).json()["results"]
    assert [result["name"].replace("%22", '"') for result in results] == names


def test_size_and_number_are_limited():
    small = Limits(file_bytes=1000, num_files=2, body_bytes=5000)
    with serve(limits=small) as client:

        def send(*contents):
            return client.post("/api/captions", files=[("images", ("a", c)) for c in contents])

        assert send(photograph(), bytes(1001)).status_code == 200
        too_large = send(bytes(1001))
        assert too_large.status_code == 413
        assert too_large.json()["results"][0]["error"] == "is larger than the limit of 0.001 MB"
        too_many = send(*[photograph()] * 3)
        assert (too_many.status_code, "at most 2 photographs" in too_many.text) == (413, True)
        body = send(bytes(100_000_000))
        assert (body.status_code, "at most 0.005 MB" in body.text) == (413, True)


def test_a_busy_server_says_when_to_ask_again():
    class Slow(ColourEngine):
        is_asked, may_answer = threading.Event(), threading.Event()

        def search(self, features):
            self.is_asked.set()
            assert self.may_answer.wait(10)
            return super().search(features)

    files = {"images": ("a.png", photograph())}
    with serve(Slow(), limits=Limits(num_requests=1)) as client, ThreadPoolExecutor(1) as threads:
        first = threads.submit(client.post, "/api/captions", files=files)
        assert Slow.is_asked.wait(10)
        busy = client.post("/api/captions", files=files)
        Slow.may_answer.set()
        assert first.result().status_code == 200
        assert client.post("/api/captions", files=files).status_code == 200
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "2")
    assert "busy with 1 requests" in busy.json()["error"]


def test_a_fault_of_the_model_is_told_without_details(caplog):
    class Faulty(ColourEngine):
        def encode(self, images_BHWC):
            raise RuntimeError("secret details")

    with serve(Faulty()) as client:
        response = client.post("/api/captions", files={"images": ("a.png", photograph())})
    assert response.status_code == 422
    assert "the server had a fault" in response.text
    assert "secret" not in response.text
    assert "secret details" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/api/captions", 405)]
)
def test_wrong_addresses_are_told_in_the_same_form(client, method, path, status):
    response = client.request(method, path)
    assert response.status_code == status
    assert response.json()["error"].endswith("See /openapi.json.")


def test_the_description_lists_what_there_is(client):
    description = client.get("/openapi.json").json()
    assert set(description["paths"]) == {"/api/captions", "/api/model", "/health"}
    captions = description["paths"]["/api/captions"]["post"]
    assert "multipart/form-data" in captions["requestBody"]["content"]
    assert {"200", "400", "401", "413", "415", "422", "503"} <= set(captions["responses"])
    options = {parameter["name"]: parameter["description"] for parameter in captions["parameters"]}
    assert options["attention"] == "Whether to say where each word of each caption looked."
    schemas = description["components"]["schemas"]
    assert {"WordAnswer", "GroundAnswer"} <= set(schemas)
    assert client.get("/docs").status_code == 404, "its scripts would come from the network"


def test_the_model_and_the_limits_can_be_asked_for(client):
    answer = client.get("/api/model").json()
    assert (answer["model"], answer["n_best"], answer["max_files"]) == ("colours", 3, 32)


def test_a_storm_of_clients_loses_nothing():
    engine = ColourEngine(8, 3)
    bad = {7: b"", 11: b"<html>", 13: photograph()[:50]}

    def ask(client, number):
        content = bad.get(number % 16, photograph((number, 0, 0)))
        response = client.post("/api/captions", files={"images": (f"{number}.png", content)})
        (result,) = response.json()["results"]
        return number, response.status_code, result["name"], result["caption"]

    with serve(engine) as client, ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda number: ask(client, number), range(200)))
    for number, status, name, caption in answers:
        is_bad = number % 16 in bad
        assert (status, name) == (422 if is_bad else 200, f"{number}.png")
        assert caption == (None if is_bad else f"colour {number} 0 0")
    assert engine.num_images == sum(number % 16 not in bad for number in range(200))
    assert engine.num_calls < engine.num_images / 2, "no batches were formed"
