import numpy as np
import pytest
from toys import WIDTH, toy_task

from captioner.decoders.captions import CaptionGenerator
from captioner.decoders.registry import build_decoder, default_spec
from captioner.decoding.settings import SearchSettings
from captioner.errors import DecoderError

VOCABULARY, CAPTIONS, FEATURES = toy_task()
SIZE = len(VOCABULARY)


def make_decoder(size=SIZE):
    small = {"feature_shape": (WIDTH,), "units": 8, "embedding_size": 8}
    return build_decoder(default_spec("inject", size, **small), seed=2)


def test_captions_come_in_order_and_do_not_depend_on_the_batch():
    image_ids = FEATURES.image_ids[::-1][:11]
    settings = SearchSettings(num_beams=3, num_captions=3, max_length=7)
    small = CaptionGenerator(make_decoder(), VOCABULARY, settings, batch_size=4)
    large = CaptionGenerator(make_decoder(), VOCABULARY, settings, batch_size=16)
    made = small.generate(FEATURES, image_ids)
    assert tuple(made) == image_ids
    for image_id, captions in large.generate(FEATURES, image_ids).items():
        assert [c.words for c in captions] == [c.words for c in made[image_id]]
        scores = [c.score for c in captions]
        assert scores == sorted(scores, reverse=True)
        np.testing.assert_allclose(scores, [c.score for c in made[image_id]], rtol=1e-4)


def test_an_untrained_decoder_still_says_something():
    generator = CaptionGenerator(make_decoder(), VOCABULARY, SearchSettings(max_length=4))
    for (caption,) in generator.generate(FEATURES, FEATURES.image_ids).values():
        assert 1 <= len(caption.words) <= 4
        assert all(word in VOCABULARY for word in caption.words)
        assert caption.log_prob < 0


def test_no_images_give_no_captions():
    generator = CaptionGenerator(make_decoder(), VOCABULARY, SearchSettings())
    assert generator.generate(FEATURES, []) == {}


def test_a_vocabulary_of_another_size_is_refused():
    with pytest.raises(DecoderError, match=r"decoder knows 99 tokens and the vocabulary has 1\d"):
        CaptionGenerator(make_decoder(99), VOCABULARY, SearchSettings())
