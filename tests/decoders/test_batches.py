import itertools
from collections import defaultdict

import numpy as np
import pytest
from toys import toy_task

from captioner.decoders.batches import CaptionBatches
from captioner.errors import DecoderError
from captioner.text.tokens import TokenisedCaptions
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


@pytest.mark.parametrize("together", [1, 2, 5])
@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_an_epoch_holds_every_training_caption_once(captions, batch_size, together):
    batches = CaptionBatches(captions, "train", batch_size, together)
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


@pytest.fixture(scope="module")
def five_each():
    """Forty images with three to seven captions each, of three to twelve tokens."""
    random = np.random.default_rng(0)
    counts = random.integers(3, 8, 40)
    lengths = random.integers(3, 13, counts.sum())
    return TokenisedCaptions(
        np.concatenate([[START, *[7] * (length - 2), END] for length in lengths]).astype(np.int32),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.repeat(np.arange(40), counts).astype(np.int32),
        tuple(map(str, range(40))),
        ("train",) * 40,
    )


@pytest.mark.parametrize(("together", "most_batches"), [(1, 7), (3, 3), (7, 1)])
def test_captions_of_an_image_stay_together_by_length(five_each, together, most_batches):
    where = defaultdict(list)
    batches = list(CaptionBatches(five_each, "train", 16, together).shuffled(0, 0))
    for number, batch in enumerate(batches):
        for image_id, tokens in spell(batch):
            where[image_id].append((number, len(tokens)))
    assert max(len({batch for batch, _ in places}) for places in where.values()) <= most_batches
    for places in where.values():  # what one batch holds of an image lies next in length
        of_batches = defaultdict(list)
        for batch, length in places:
            of_batches[batch].append(length)
        spans = sorted((min(lengths), max(lengths)) for lengths in of_batches.values())
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


def test_batches_are_as_many_however_captions_are_dealt(five_each):
    for together in (1, 3, 7, 100):
        batches = CaptionBatches(five_each, "train", 16, together)
        sizes = [len(batch.words.tokens_MT) for batch in batches.shuffled(0, 0)]
        assert len(sizes) == len(batches) == -(-len(five_each) // 16)
        assert all(abs(size - 16) < together for size in sorted(sizes)[1:])


def test_five_captions_by_threes_go_three_and_two():
    captions = TokenisedCaptions(
        np.concatenate([[START, *[7] * n, END] for n in (5, 1, 4, 2, 3)]).astype(np.int32),
        np.cumsum([0, 7, 3, 6, 4, 5]).astype(np.int64),
        np.zeros(5, np.int32),
        ("a",),
        ("train",),
    )
    batches = CaptionBatches(captions, "train", 3, together=3).in_order()
    assert [[len(tokens) for _, tokens in spell(batch)] for batch in batches] == [
        [3, 4, 5],
        [6, 7],
    ]


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
