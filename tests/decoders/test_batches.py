import numpy as np
import pytest
from toys import toy_task

from captioner.decoders.batches import CaptionBatches
from captioner.errors import DecoderError
from captioner.text.vocabulary import END, START


@pytest.fixture(scope="module")
def captions():
    return toy_task()[1]


def spell(batch):
    """The captions of a batch as (image id, tokens), put together from what is trained on."""
    tokens_MT = np.zeros((*batch.words.tokens_MT.shape, 2), np.int32)
    tokens_MT[..., 0] = batch.words.tokens_MT
    tokens_MT.reshape(-1, 2)[batch.words.positions_P, 1] = batch.targets_P
    for row, pairs in enumerate(tokens_MT):
        length = np.count_nonzero(pairs[:, 0])
        yield batch.image_ids[batch.words.image_index_M[row]], [START, *pairs[:length, 1].tolist()]


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_an_epoch_holds_every_training_caption_once(captions, batch_size):
    batches = CaptionBatches(captions, "train", batch_size)
    dealt = sorted(item for batch in batches.shuffled(0, 0) for item in spell(batch))
    expected = sorted(
        (captions.image_ids[captions.image_index[c]], captions[c].tolist())
        for c in captions.select("train")
    )
    assert dealt == expected
    assert len(batches) == len(list(batches.shuffled(0, 0)))


def test_inputs_and_targets_are_one_word_apart(captions):
    batch = next(CaptionBatches(captions, "train", 4).in_order())
    inputs_P = batch.words.tokens_MT.reshape(-1)[batch.words.positions_P]
    assert inputs_P[0] == START
    assert (inputs_P[1:3] == batch.targets_P[:2]).all()
    assert END not in batch.words.tokens_MT
    assert np.count_nonzero(batch.targets_P == END) == 4


def test_captions_of_one_image_share_its_features(captions):
    batch = next(CaptionBatches(captions, "train", 1000).in_order())
    assert len(batch.image_ids) == 62
    assert len(batch.words.image_index_M) == 124


def test_little_is_padding(captions):
    batches = list(CaptionBatches(captions, "train", 20).shuffled(3, 1))
    mixed = [
        batch for batch in batches if len(batch.words.positions_P) < batch.words.tokens_MT.size
    ]
    assert len(mixed) == 1  # there are two lengths, so one batch holds both


def flatten(batches):
    return [batch.words.tokens_MT.tolist() + list(batch.image_ids) for batch in batches]


def test_an_epoch_depends_on_seed_and_number_alone(captions):
    batches = CaptionBatches(captions, "train", 8)
    first = flatten(batches.shuffled(5, 2))
    list(batches.shuffled(5, 3))
    assert flatten(CaptionBatches(captions, "train", 8).shuffled(5, 2)) == first
    assert flatten(batches.shuffled(5, 3)) != first
    assert flatten(batches.shuffled(6, 2)) != first


def test_a_split_without_captions_is_an_error(captions):
    with pytest.raises(DecoderError, match="The test split holds no captions"):
        CaptionBatches(captions, "test", 8)
