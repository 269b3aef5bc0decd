"""The sections of a pipeline file as typed objects; `captioner.config` reads the file.

Every default is the best value known, so a short file is a good file.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from captioner.backbone_names import check_backbone
from captioner.feature_kinds import FeatureKind, mirror_kind

DatasetFormat = Literal[
    "scenes", "flickr8k", "flickr30k", "kaggle", "coco", "karpathy", "table", "sidecar"
]
Precision = Literal["auto", "float32", "bfloat16"]
SplitName = Literal["train", "dev", "test"]
STAGE_NAMES = ("pretrain", "build", "extract", "tokenize", "train", "evaluate")
PRETRAINED = "pretrained"  # the encoder's weights are those that stage `pretrain` makes
NAMED_WEIGHTS = ("imagenet", "random", PRETRAINED)


def _read_size(size: Any) -> tuple[int, int]:
    """Reads height and width, or one number for the side of a square."""
    sides = [size, size] if type(size) is int else size
    is_pair = isinstance(sides, list | tuple) and len(sides) == 2
    if not is_pair or not all(type(side) is int and side >= 1 for side in sides):
        raise PydanticCustomError(
            "size", "expected a whole number of pixels, or [height, width], of 1 or more"
        )
    return (sides[0], sides[1])


BackboneName = Annotated[str, AfterValidator(check_backbone)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]
FeatureKinds = Annotated[tuple[FeatureKind, ...], Field(strict=False, min_length=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Paths = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
Size = Annotated[tuple[int, int], BeforeValidator(_read_size)]
Fractions = Annotated[tuple[float, float, float], Field(strict=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DatasetSection(_Section):
    """Where photographs and captions come from.

    Args:
        format: how they are laid out; "scenes" draws a data set and needs no path.
        path: the data set's folder, or its captions file; relative to the current folder.
        captions: the captions file or files, where they do not bear the format's usual names;
            relative to the data set's folder.
        images: the folder of images, where it is not beside the captions; relative to the data
            set's folder or, if it is not there, to the current one.
        splits: a folder of split lists, or "seeded" to draw a split whatever lists there are.
        split_seed: decides the split of data sets that come without split lists.
        split_fractions: shares of train, dev and test in such a split.
        num_images: "scenes" only: how many images to draw.
        seed: "scenes" only: another seed draws other images.
    """

    format: DatasetFormat
    path: str | None = None
    captions: str | Paths | None = None
    images: str | None = None
    splits: str | None = None
    split_seed: Seed = 0
    split_fractions: Fractions = (0.8, 0.1, 0.1)
    num_images: Annotated[int, Field(ge=20)] = 2400
    seed: Seed = 0


class BackboneSection(_Section):
    """The encoder: its name, where its weights come from, the seed of random ones.

    Several names joined by "+" are one encoder, see `captioner.backbones.joint`. `input_size` is
    the height and width of the images in pixels, or the side of a square; the network's own by
    default: a network without dense layers takes any, and sees more of small things in more pixels
    than it was made for.
    """

    name: BackboneName = "efficientnet_lite0"
    weights: str = "imagenet"
    seed: Seed = 0
    input_size: Size | None = None


class PretrainSection(_Section):
    """How the encoder is trained as a classifier first, from class folders.

    The fields that are not named here are those of
    `captioner.classifiers.settings.ClassifierSettings` and its `Augmentation`.

    Args:
        format: "folders" of photographs, or "objects", which draws those of the scenes.
        path: a folder with a folder for each class, or with train and dev folders of such.
        dev: class folders to judge by, where they lie elsewhere.
        dev_fraction: share of each class drawn for dev where there are no such folders.
        split_seed: decides that draw; of objects, what is drawn.
        num_images: "objects" only: how many to draw.
        weights: the first weights: "random", "imagenet" or a file.
        input_size: height and width of the images, in pixels, or the side of a square; the
            network's own by default.
        workers: decoding threads; decides nothing.
    """

    format: Literal["folders", "objects"] = "folders"
    path: str | None = None
    dev: str | None = None
    dev_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2
    split_seed: Seed = 0
    num_images: Annotated[int, Field(ge=256)] = 6400
    weights: str = "random"
    input_size: Size | None = None
    workers: Count | None = None
    epochs: Count = 20
    batch_size: Count = 32
    learning_rate: Positive = 1e-3
    warmup_steps: Annotated[int, Field(ge=0)] = 100
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-4
    clip_norm: Positive = 1.0
    label_smoothing: Share = 0.1
    class_weights: Literal["balanced", "none"] = "balanced"
    freeze_below: str | None = None
    freeze_norms: bool = False
    patience: Count = 5
    rotation: Annotated[float, Field(ge=0, le=180)] = 40.0
    shift: Share = 0.2
    shear: Share = 0.2
    zoom: Share = 0.2
    horizontal_flip: bool = True
    vertical_flip: bool = True
    seed: Seed = 0
    precision: Precision = "auto"


class ExtractSection(_Section):
    """What is computed from each photograph; batch size and workers do not change it.

    `outputs` is the vector, and the grid as well where the decoder reads it, unless set here. The
    grid is averaged to `grid_side` places a side, so that it takes less disk and training time;
    without it, it stays as the encoder makes it.
    """

    outputs: FeatureKinds | None = None
    grid_side: Count | None = None
    precision: Precision = "auto"
    batch_size: Count = 32
    workers: Count | None = None


class TokenizeSection(_Section):
    """How captions become words, and which words are learnt."""

    scheme: Literal["default", "tutorial", "brownlee"] = "default"
    min_count: Count = 3
    max_length: Annotated[int, Field(ge=3)] = 40


class DecoderSection(_Section):
    """The caption decoder; what is left out takes the best known value for its kind.

    The fields are those of `captioner.decoders.spec.DecoderSpec`, which explains them.
    """

    kind: Literal["attention", "inject", "merge"] = "inject"
    units: Count | None = None
    embedding_size: Count | None = None
    tied_embeddings: bool | None = None
    normalise_features: bool | None = None
    standardise_features: bool | None = None
    image_scale: Positive | None = None
    image_activation: Literal["linear", "relu"] | None = None
    image_dropout: Share | None = None
    embedding_dropout: Share | None = None
    output_dropout: Share | None = None
    variational_dropout: bool | None = None
    gated_image: bool | None = None
    attention_units: Count | None = None
    attention_heads: Count | None = None
    attention_dropout: Share | None = None

    @property
    def reads(self) -> FeatureKind:
        """The kind of features that the decoder reads."""
        return "grid" if self.kind == "attention" else "vector"

    def chosen(self) -> dict[str, Any]:
        """Returns the fields that the pipeline file sets, without the kind."""
        return self.model_dump(exclude={"kind"}, exclude_none=True)


class TrainSection(_Section):
    """How the decoder is trained.

    `features` names a features.pkl made elsewhere, in place of the stages build and extract.
    `members` decoders are trained, from one seed after another, and write captions together: see
    `captioner.decoders.ensemble`. The other fields are those of
    `captioner.decoders.settings.TrainSettings`; `mirrored` makes stage extract compute the
    features of the mirrored photographs as well.
    """

    features: str | None = None
    members: Annotated[int, Field(ge=1, le=16)] = 1
    epochs: Count = 12
    batch_size: Count = 128
    captions_together: Count | None = None
    learning_rate: Positive = 2e-3
    warmup_steps: Annotated[int, Field(ge=0)] = 100
    clip_norm: Positive = 5.0
    label_smoothing: Share = 0.1
    scheduled_sampling: Share = 0.0
    attention_penalty: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    mirrored: bool = False
    ema: Share = 0.995
    patience: Count = 5
    reward_epochs: Annotated[int, Field(ge=0)] = 0
    reward_learning_rate: Positive = 1e-4
    reward_images: Count = 50
    reward_samples: Annotated[int, Field(ge=2)] = 5
    reward_bleu: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    seed: Seed = 0
    precision: Precision = "auto"


class EvaluateSection(_Section):
    """How captions are decoded and scored.

    Args:
        split: the part of the data set to caption.
        beam: beams kept; 1 is greedy search.
        length_exponent: log-probabilities are divided by length to this power.
        max_words: longest caption.
        no_repeat_ngram: no n words in a row stand in a caption twice; 0 lets them.
        no_stutter: whether a word may not stand directly behind itself.
        no_dangling: whether no caption may end in "a", "with" and the like, see
            `captioner.text.dangling`.
        consensus: above 0, the captions that the beam found are ranked anew by their score plus
            this times their agreement (CIDEr) with what people said of training images, the
            more the more alike they are, see `captioner.metrics.consensus`.
        consensus_bleu: the same, times the n-grams that people can be expected to use as well.
        bootstrap: resamples behind the 95 % intervals.
        seed: seed of the resampling.
    """

    split: SplitName = "test"
    beam: Count = 3
    length_exponent: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.8
    max_words: Count = 24
    no_repeat_ngram: Annotated[int, Field(ge=0)] = 0
    no_stutter: bool = False
    no_dangling: bool = False
    consensus: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    consensus_bleu: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    bootstrap: Count = 1000
    seed: Seed = 0

    @property
    def asks_people(self) -> bool:
        """Whether captions are ranked anew by what people said of similar images."""
        return self.consensus > 0 or self.consensus_bleu > 0


class Settings(_Section):
    """All sections of a pipeline file.

    Without `dataset`, a pipeline only trains an encoder; without `pretrain`, it takes one that
    there is.
    """

    pretrain: PretrainSection | None = None
    dataset: DatasetSection | None = None
    backbone: BackboneSection = BackboneSection()
    extract: ExtractSection = ExtractSection()
    tokenize: TokenizeSection = TokenizeSection()
    decoder: DecoderSection = DecoderSection()
    train: TrainSection = TrainSection()
    evaluate: EvaluateSection = EvaluateSection()

    @property
    def feature_kinds(self) -> tuple[str, ...]:
        """What is extracted; the vector always, since the nearest-neighbour baseline reads it."""
        needed = ("vector",) if self.decoder.reads == "vector" else ("vector", "grid")
        plain = needed if self.extract.outputs is None else self.extract.outputs
        return (*plain, mirror_kind(self.decoder.reads)) if self.train.mirrored else plain

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The stages of the pipeline, in order."""
        made = () if self.pretrain is None else STAGE_NAMES[:1]
        if self.dataset is None:
            return made
        first = 1 if self.train.features is None else 3  # nothing to encode
        return (*made, *STAGE_NAMES[first:])
