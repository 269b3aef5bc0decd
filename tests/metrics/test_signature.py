"""The signature names everything that decides a score."""

import json

from captioner import __version__
from captioner.metrics.signature import Origin, digest_images, sign


def test_everything_known_is_printed():
    origin = Origin(split="dev", beam=3, length_normalisation=0.7, seed=0)
    signature = sign("coco", "default", ["b", "a"], [5, 5], origin)
    assert str(signature) == (
        "protocol:coco|nrefs:5|tok:captioner-1|case:lower|specials:stripped|ref:closest|"
        f"smooth:none|beam:3|norm:0.7|seed:0|split:dev@{digest_images(['a', 'b'])}|images:2|"
        f"version:{__version__}"
    )


def test_what_is_not_known_is_left_out():
    signature = sign("tutorial", "tutorial", ["a", "b"], [4, 1], Origin())
    assert signature.fields()["nrefs"] == "1-4"
    assert signature.fields()["tok"] == "tutorial-1"
    assert not {"beam", "norm", "seed"} & set(signature.fields())


def test_rules_of_the_search_are_named_where_there_are_any():
    origin = Origin(beam=3, rules="3grams-once+no-stutter")
    text = str(sign("coco", "default", ["a"], [5], origin))
    assert "|beam:3|rules:3grams-once+no-stutter|split:" in text


def test_the_digest_stands_for_the_set_of_images():
    assert digest_images(["a", "b"]) == digest_images(["b", "a"]) == "3554d2b8"
    assert digest_images(["a,b"]) != digest_images(["a", "b"])
    assert digest_images(["é\n"]) != digest_images(["e\n"])


def test_json_holds_the_text_and_the_parts():
    record = sign("coco", "default", ["a"], [2], Origin(beam=1)).to_json()
    assert json.loads(json.dumps(record)) == record
    assert record["text"].startswith("protocol:coco|nrefs:2|")
    assert record["origin"]["beam"] == 1
