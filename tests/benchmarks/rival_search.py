"""The shipped model's beam search in PyTorch, batched but straightforward; see bench_search.

    python tests/benchmarks/rival_search.py SHIPPED.npz ANSWERS.json

Runs under a Python of its own that has torch. SHIPPED.npz holds the decoder's weights, the grids
of some images and how to search; the captions found are written to ANSWERS.json. Keys and values
are projected once an image and repeated for its beams, a batch goes on until all its captions
have ended, and a beam that has ended can only be padded.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from harness import answer_rounds
from torch import Tensor
from torch.nn import functional

BATCH_SIZE = 64
PAD, START, END, UNKNOWN = 0, 1, 2, 3


class Attention:
    """The decoder that ships: an LSTM whose output attends to the places of a grid."""

    def __init__(self, weights: dict[str, Tensor], heads: int, image_scale: float) -> None:
        self._weights, self._heads, self._image_scale = weights, heads, image_scale
        self._embeddings = weights["embedding/embeddings"]
        width, units = weights["lstm/kernel"].shape
        self._cell = torch.nn.LSTMCell(width, units // 4)
        self._cell.load_state_dict(  # both keep the gates in the same order
            {
                "weight_ih": weights["lstm/kernel"].T,
                "weight_hh": weights["lstm/recurrent_kernel"].T,
                "bias_ih": weights["lstm/bias"],
                "bias_hh": torch.zeros(units),
            }
        )

    def start(self, grids: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, Tensor]]:
        """Encodes images, (N, L, C)."""
        mean = self._standardise("image_statistics", grids.mean(1))
        places = self._standardise("place_statistics", grids)
        hidden, cell = self._dense("image_state", mean).chunk(2, -1)
        keys = self._split(self._dense("keys", places))
        values = self._split(self._dense("values", places))
        return (self._dense("image_input", mean), keys, values), (hidden.tanh(), cell)

    def step(
        self, words: Tensor, context: tuple[Tensor, ...], state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Reads a word of each beam: log-probabilities of the next, and the next state."""
        image, keys, values = context
        embedded = self._embeddings[words] * self._embeddings.shape[1] ** 0.5
        state = self._cell(embedded + image, state)
        output = state[0]
        query = self._split(self._dense("query", output)[:, None])
        seen = functional.scaled_dot_product_attention(query, keys, values)
        seen = seen.transpose(1, 2).flatten(1) * self._dense("gate", output).sigmoid()
        output = output + self._dense("attended", seen)
        logits = self._dense("to_words", output).tanh() @ self._embeddings.T
        return (logits + self._weights["word_bias/bias"]).log_softmax(-1), state

    def _standardise(self, name: str, features: Tensor) -> Tensor:
        normal = functional.normalize(features, dim=-1) * features.shape[-1] ** 0.5
        mean, deviation = (self._weights[f"{name}/{part}"] for part in ("mean", "deviation"))
        return (normal - mean) / deviation * self._image_scale

    def _dense(self, name: str, inputs: Tensor) -> Tensor:
        bias = self._weights.get(f"{name}/bias")
        return functional.linear(inputs, self._weights[f"{name}/kernel"].T, bias)

    def _split(self, inputs: Tensor) -> Tensor:
        return inputs.unflatten(-1, (self._heads, -1)).transpose(1, 2)


def search(decoder: Attention, grids: Tensor, beams: int, words: int, exponent: float) -> Tensor:
    """Returns the best caption of each image, (N, words)."""
    count = len(grids)
    context, state = decoder.start(grids)
    context, state = (
        tuple(part.repeat_interleave(beams, 0) for part in parts) for parts in (context, state)
    )
    tokens = torch.full((count * beams, 1), START)
    scores = torch.tensor([0.0] + [float("-inf")] * (beams - 1)).repeat(count)
    has_ended = torch.zeros(count * beams, dtype=torch.bool)
    first_rows = torch.arange(count)[:, None] * beams
    for position in range(words + 1):
        log_probs, state = decoder.step(tokens[:, -1], context, state)
        log_probs[:, [PAD, START, UNKNOWN]] = float("-inf")
        if position == 0:
            log_probs[:, END] = float("-inf")
        log_probs[has_ended] = float("-inf")
        log_probs[has_ended, PAD] = 0.0
        totals = (scores[:, None] + log_probs).view(count, -1)
        best, chosen = totals.topk(beams)
        rows = (chosen // log_probs.shape[1] + first_rows).flatten()
        scores, chosen = best.flatten(), (chosen % log_probs.shape[1]).flatten()
        tokens = torch.cat([tokens[rows], chosen[:, None]], 1)
        has_ended = has_ended[rows] | (chosen == END)
        state = (state[0][rows], state[1][rows])
        if has_ended.all():
            break
    lengths = ((tokens != PAD) & (tokens != START)).sum(1)
    ranks = (scores / lengths**exponent).view(count, beams).argmax(1)
    return tokens.view(count, beams, -1)[torch.arange(count), ranks, 1:]


def main() -> None:
    """Gets ready, writes the captions, then finds them all once for each line of input."""
    shipped, answers = sys.argv[1:]
    torch.set_num_threads(2)
    arrays = dict(np.load(shipped))
    grids, images = torch.tensor(arrays.pop("grids")), arrays.pop("images")
    beams, words, heads = map(int, arrays.pop("numbers"))
    exponent, image_scale = float(arrays.pop("exponent")), float(arrays.pop("image_scale"))
    weights = {name: torch.tensor(array) for name, array in arrays.items()}
    decoder = Attention(weights, heads, image_scale)

    def caption_all() -> list[list[int]]:
        captions: list[list[int]] = []
        for batch in torch.tensor(images).split(BATCH_SIZE):
            captions += search(decoder, grids[batch], beams, words, exponent).tolist()
        return captions

    with torch.inference_mode():
        captions = [[word for word in caption if word > END] for caption in caption_all()]
        Path(answers).write_text(json.dumps(captions))
        answer_rounds(caption_all)


if __name__ == "__main__":
    main()
