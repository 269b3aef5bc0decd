"""Beam search over an LSTM in PyTorch, batched but straightforward; see bench_decoders.

    python tests/benchmarks/rival_search.py VOCABULARY EMBEDDING UNITS FEATURES IMAGES WORDS BEAMS

Runs under a Python of its own that has torch. The image starts the state, words follow; weights
are random, so that no caption ends before its last word.
"""

import sys

import torch
from harness import answer_rounds
from torch import nn

BATCH_SIZE = 64
START = 1


def main() -> None:
    """Gets ready, then captions all images once for each line of standard input."""
    vocabulary, embedding, units, width, num_images, num_words, beams = map(int, sys.argv[1:])
    torch.set_num_threads(2)
    torch.manual_seed(0)
    embed, cell = nn.Embedding(vocabulary, embedding), nn.LSTMCell(embedding, units)
    to_state, to_words = nn.Linear(width, units), nn.Linear(units, vocabulary)
    features = torch.rand(num_images, width)

    def search(images: torch.Tensor) -> torch.Tensor:
        count = len(images)
        hidden = to_state(images).repeat_interleave(beams, 0)
        state = (hidden, torch.zeros_like(hidden))
        tokens = torch.full((count * beams, 1), START)
        scores = torch.tensor([0.0] + [-1e9] * (beams - 1)).repeat(count, 1)
        for _ in range(num_words):
            state = cell(embed(tokens[:, -1]), state)
            log_probs = to_words(state[0]).log_softmax(-1).view(count, beams, -1)
            totals = (scores[..., None] + log_probs).view(count, -1)
            scores, best = totals.topk(beams)
            parents = (best // vocabulary + torch.arange(count)[:, None] * beams).flatten()
            words = (best % vocabulary).view(-1, 1)
            tokens = torch.cat([tokens[parents], words], 1)
            state = (state[0][parents], state[1][parents])
        return tokens.view(count, beams, -1)[:, 0]

    def caption_all() -> None:
        with torch.inference_mode():
            for images in features.split(BATCH_SIZE):
                search(images).numpy()

    caption_all()
    answer_rounds(caption_all)


if __name__ == "__main__":
    main()
