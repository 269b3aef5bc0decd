"""A trained model that captions photographs.

    captioner = Captioner.load()
    print(captioner.caption("beach.jpg"))

Dimension key: B images of a batch, H and W sides of the encoder's input.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from captioner.backbones.registry import find_spec
from captioner.backbones.weights import resolve_weights
from captioner.captioning.caption import Caption, ImageResult
from captioner.captioning.engine import CaptionEngine, choose_search
from captioner.captioning.folders import ListedImage, list_folder
from captioner.captioning.model_folder import VOCABULARY, ModelFolder, find_model
from captioner.captioning.stream import caption_stream
from captioner.decoding.settings import SearchSettings
from captioner.errors import DecoderError, UsageError
from captioner.features.sources import count_workers
from captioner.images import WHITE, Colour, ResizeRule, Source, load_image, open_image

if TYPE_CHECKING:
    from captioner.captioning.explanation import Explanation

BATCH_SIZE = 16


class Captioner:
    """Captions photographs with a trained model: an encoder, a decoder and its words.

    Everything is loaded at once and compiled at the first caption, once for each way of
    searching, whatever the number of calls and images. `Captioner.load` makes one.

    Args:
        model: where the model came from.
        batch_size: images at a time, 1 or more. Does not change the captions.
        precision: of the networks' arithmetic: "float32", "bfloat16", or "auto", which takes
            bfloat16 wherever it is faster on this machine. The captions are as good, and one
            in twelve is worded differently.

    Example:
        >>> captioner = Captioner.load()
        >>> image = np.full((60, 80, 3), 200, dtype=np.uint8)
        >>> caption = captioner.caption(image)
        >>> 0 < caption.confidence <= 1 and caption.text == str(caption)
        True
        >>> best, second = captioner.caption([image, image], beam=3, n_best=2)
        >>> [len(best.alternatives), best == second]
        [1, True]
    """

    def __init__(
        self, model: ModelFolder, *, batch_size: int = BATCH_SIZE, precision: Any = "auto"
    ) -> None:
        from captioner.backbones.encoder import load_encoder
        from captioner.decoders.ensemble import load_decoders
        from captioner.decoders.precision import find_precision
        from captioner.text.vocabulary import Vocabulary

        if batch_size < 1:
            raise UsageError(f"`batch_size` is 1 or more. Received: {batch_size}")
        self.model = model
        self.batch_size = batch_size
        backbone = model.backbone()
        check_weights(model)
        self._decoder = load_decoders(model.path, precision=find_precision(precision))
        self._vocabulary = Vocabulary.load(model.path / VOCABULARY)
        reads = self._decoder.spec
        self._expectation = model.expectation(reads.feature_shape[-1])
        self._encoder = load_encoder(
            backbone.name,
            weights=backbone.weights,
            seed=backbone.seed,
            input_size=backbone.input_size,
            outputs=(reads.feature_kind,),
            precision=precision,
            batch_size=batch_size,
            grid_side=_grid_side(reads.feature_shape),
        )
        self._engines: dict[SearchSettings, CaptionEngine] = {}

    @classmethod
    def load(
        cls,
        model: str | Path | None = None,
        *,
        batch_size: int = BATCH_SIZE,
        precision: Any = "auto",
    ) -> "Captioner":
        """Loads a trained model.

        Args:
            model: a folder with a model, a pipeline's folder in the artifacts, or a pipeline's
                name; None loads the model that ships with captioner.
            batch_size: images at a time, 1 or more.
            precision: of the networks' arithmetic; "auto" takes "bfloat16" wherever it is
                faster on this machine.

        Raises:
            UsageError: there is no such model.
            DecoderError, VocabularyError, WeightsError: a part of it is missing or damaged.
        """
        return cls(find_model(model), batch_size=batch_size, precision=precision)

    @overload
    def caption(  # type: ignore[overload-overlap]  # a str is a sequence
        self,
        images: Source,
        *,
        beam: int | None = None,
        n_best: int = 1,
        diverse: bool = False,
        background: Colour = WHITE,
    ) -> Caption: ...
    @overload
    def caption(
        self,
        images: Iterable[Source],
        *,
        beam: int | None = None,
        n_best: int = 1,
        diverse: bool = False,
        background: Colour = WHITE,
    ) -> list[Caption]: ...
    def caption(
        self,
        images: Source | Iterable[Source],
        *,
        beam: int | None = None,
        n_best: int = 1,
        diverse: bool = False,
        background: Colour = WHITE,
    ) -> Caption | list[Caption]:
        """Captions one image, or several.

        Args:
            images: a path, a file's content, a PIL image, an array (H, W, 3) of uint8 or of
                floats 0-1, or any collection of these.
            beam: partial captions kept while searching, 1 or more; None takes what was found
                best when the model was trained.
            n_best: captions wanted for each image, at most `beam`.
            diverse: whether these are to differ from each other in more than a word (diverse
                beam search), rather than to be the likeliest.
            background: RGB, 0-255, laid under what is transparent.

        Returns:
            The best caption, with the next ones as its `alternatives`; a list of them for a list.

        Raises:
            ImageError: an image cannot be used; says which and why.
            UsageError: `beam` or `n_best` is out of range, or one caption is to be diverse.
        """
        engine = self.engine(beam=beam, n_best=n_best, diverse=diverse)
        if isinstance(images, Source) or not isinstance(images, Iterable):  # one, right or wrong
            return self._caption_several([images], engine, background)[0]
        return self._caption_several(list(images), engine, background)

    def caption_folder(
        self,
        folder: str | Path,
        *,
        recursive: bool = False,
        beam: int | None = None,
        n_best: int = 1,
        diverse: bool = False,
        background: Colour = WHITE,
        workers: int | None = None,
    ) -> Iterator[ImageResult]:
        """Captions all images of a folder, in the order of their names, and writes nothing.

        A file that cannot be used gives a result with an `error` instead of a caption. Memory
        does not grow with the number of images.

        Args:
            folder: the folder; hidden files are passed over.
            recursive: whether to enter sub-folders.
            beam: see `caption`.
            n_best: see `caption`.
            diverse: see `caption`.
            background: see `caption`.
            workers: threads that read images; None takes one for each processor.

        Yields:
            One result for each image.

        Raises:
            UsageError: there is no such folder, or `beam` or `n_best` is out of range.

        Example:
            >>> import tempfile
            >>> import PIL.Image
            >>> captioner = Captioner.load()
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     PIL.Image.new("RGB", (80, 60), "navy").save(folder + "/navy.png")
            ...     _ = Path(folder, "torn.jpg").write_bytes(b"")
            ...     results = list(captioner.caption_folder(folder))
            >>> [(result.name, result.status) for result in results]
            [('navy.png', 'done'), ('torn.jpg', 'failed')]
        """
        if not Path(folder).is_dir():
            raise UsageError(f"There is no folder {str(folder)!r} to caption.")
        engine = self.engine(beam=beam, n_best=n_best, diverse=diverse)
        listed = list_folder(str(folder), recursive=recursive)
        load = self.loader(background)
        num_workers = count_workers() if workers is None else workers
        stream = caption_stream(listed, engine, load, workers=num_workers)
        return (_result(*item) for item in itertools.chain.from_iterable(stream))

    def explain(
        self, image: Source, *, beam: int | None = None, background: Colour = WHITE
    ) -> "Explanation":
        """Captions one image and says which places of it each word comes from.

        A model that attends is asked where it looked. Of any other, places are greyed one by one
        to see which words become less likely; that takes some fifty looks at the image.

        Args:
            image: see `caption`.
            beam: see `caption`.
            background: see `caption`.

        Raises:
            ImageError: the image cannot be used; says which and why.
            UsageError: `beam` is out of range.

        Example:
            >>> explanation = Captioner.load().explain(np.full((60, 80, 3), 200, dtype=np.uint8))
            >>> len(explanation.words) == len(explanation.weights)
            True
        """
        from captioner.captioning.explanation import Explanation
        from captioner.captioning.occlusion import measure_occlusion

        engine, rule = self.engine(beam=beam), self._encoder.spec.rule
        photo = open_image(image, background=background, size_hint=(rule.width, rule.height))
        image_HWC = np.asarray(rule.apply(photo, background))
        features = engine.encode(image_HWC[None])
        (caption,) = engine.search(features)
        box = rule.seen_share(photo.size)
        if engine.ground is not None:
            (weights_THW,) = engine.look(features, [caption])
            return Explanation(caption, weights_THW, "attention", box)
        tokens_T = self._vocabulary.encode(caption.words)
        weights_THW = measure_occlusion(engine.encode, self._decoder, image_HWC, tokens_T)
        return Explanation(caption, weights_THW, "occlusion", box)

    def engine(
        self, *, beam: int | None = None, n_best: int = 1, diverse: bool = False
    ) -> CaptionEngine:
        """Returns what captions decoded images in one way of searching; the same one each time.

        Args:
            beam: see `caption`.
            n_best: see `caption`.
            diverse: see `caption`.

        Raises:
            UsageError: `beam` or `n_best` is out of range, or one caption is to be diverse.
        """
        recorded = self.model.search()
        settings = choose_search(recorded, beam=beam, n_best=n_best, diverse=diverse)
        if settings not in self._engines:
            self._engines[settings] = CaptionEngine(
                self._encoder, self._decoder, self._vocabulary, settings, self._expectation
            )
        return self._engines[settings]

    def loader(self, background: Colour = WHITE) -> Callable[[Source], np.ndarray]:
        """Returns what reads an image, or its file, as the encoder wants it: uint8 (H, W, 3)."""
        rule: ResizeRule = self._encoder.spec.rule
        return functools.partial(load_image, rule=rule, background=background)

    def _caption_several(
        self, images: Sequence[Source], engine: CaptionEngine, background: Colour
    ) -> list[Caption]:
        rule = self._encoder.spec.rule
        captions: list[Caption] = []
        for first in range(0, len(images), self.batch_size):
            batch = images[first : first + self.batch_size]
            images_BHWC = np.stack([load_image(i, rule, background=background) for i in batch])
            captions += engine.search(engine.encode(images_BHWC))
        return captions


def check_weights(model: ModelFolder) -> None:
    """Compares the encoder's weights on this machine with those the decoder was trained on.

    Raises:
        DecoderError: they are others, so every caption would be wrong.
        WeightsError: they cannot be had.
    """
    record = model.backbone()
    origin = resolve_weights(find_spec(record.name), record.weights, record.seed)
    if origin.digest != record.digest:
        raise DecoderError(
            f"The model {model.name} was trained on {record.name} with the weights "
            f"{record.digest}, and '{record.weights}' now gives {origin.digest}. Its captions "
            "would be wrong: install the weights it was trained on, or train it again."
        )


def _grid_side(feature_shape: tuple[int, ...]) -> int | None:
    """Returns how many places a side the decoder's grid has; a grid that is averaged is square."""
    side = feature_shape[0]
    return side if feature_shape[:-1] == (side, side) else None


def _result(listed: ListedImage, made: Caption | str) -> ImageResult:
    if isinstance(made, str):
        return ImageResult(listed.path, listed.name, "failed", error=made)
    return ImageResult(listed.path, listed.name, "done", made)
