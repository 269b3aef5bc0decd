"""Measures what one whole epoch is worth: the course's training and ours, judged on dev images.

    python tests/benchmarks/bench_course_epoch.py ARTIFACTS/PIPELINE FLICKR8K [--only captioner]

Both train once over the same training images, from the vectors that the pipeline has extracted and
the words that it has counted, and caption the dev images greedily. Ours is the decoder that the
pipeline has trained, with fresh weights; its epoch is the first of several, as in any training,
and not one at whose end the learning rate is zero. The course takes 20 to 50 minutes for its epoch.
"""

from pathlib import Path

from course import CourseTraining
from harness import make_parser, print_table, time_once

from captioner.datasets.formats import read_dataset
from captioner.decoders.captions import CaptionGenerator
from captioner.decoders.decoder import Decoder
from captioner.decoders.feature_reader import FeatureReader
from captioner.decoders.precision import find_precision
from captioner.decoders.registry import Precision, build_decoder
from captioner.decoders.settings import TrainSettings
from captioner.decoders.storage import load_spec
from captioner.decoders.teacher_forcing import TeacherForcing
from captioner.decoding.settings import SearchSettings, SpecialTokens
from captioner.features.store import FeatureStore
from captioner.metrics.scores import score_captions
from captioner.text.tokens import TokenisedCaptions
from captioner.text.vocabulary import Vocabulary

LONGEST = 30


class Task:
    """Features, tokens and references of some training images and all dev images."""

    def __init__(self, artifacts: Path, dataset: Path, num_images: int) -> None:
        self.features = FeatureStore.open(artifacts / "extract")
        self.vocabulary = Vocabulary.load(artifacts / "tokenize" / "vocabulary.json")
        captions = TokenisedCaptions.load(artifacts / "tokenize" / "tokens.npz")
        dev = read_dataset("flickr8k", dataset).in_split("dev")
        self.references = {image.image_id: image.captions for image in dev}
        self.spec = load_spec(artifacts / "train")
        self.captions = captions.restrict(captions.image_ids_in("train")[:num_images])

    def judge(self, captions: list[list[str]]) -> list[str]:
        """Returns BLEU-1 to 4 and CIDEr of captions of the dev images."""
        texts = [" ".join(words) for words in captions]
        scores = score_captions(dict(zip(self.references, texts, strict=True)), self.references)
        assert scores.cider is not None
        return [f"{100 * score:.1f}" for score in (*scores.bleu, scores.cider)]


def train_ours(task: Task) -> tuple[float, list[str]]:
    """Returns the seconds of our epoch, and its scores."""
    is_narrow = find_precision("auto") == "bfloat16"
    precision: Precision = "mixed_bfloat16" if is_narrow else "float32"
    decoder = build_decoder(task.spec, precision=precision)
    reader = FeatureReader(task.features, task.spec)
    decoder.fit([reader.read(task.captions.image_ids[::8])])
    phase = TeacherForcing(decoder, reader, task.captions, TrainSettings(), SpecialTokens())
    seconds = time_once(lambda: phase.train_epoch(0, "captioner")).seconds
    return seconds, task.judge(_caption(task, phase))


def _caption(task: Task, phase: TeacherForcing) -> list[list[str]]:
    judged: Decoder = build_decoder(task.spec)
    for name, variable in judged.weights.items():
        variable.assign(phase.optimizer.mean[name])
    greedy = SearchSettings(method="greedy", max_length=LONGEST)
    generator = CaptionGenerator(judged, task.vocabulary, greedy)
    found = generator.generate(task.features, list(task.references))
    return [list(own[0].words) for own in found.values()]


def train_course(task: Task) -> tuple[float, list[str]]:
    """Returns the seconds of the course's epoch, and its scores."""
    image_ids = task.captions.image_ids
    vectors = task.features.read("vector", image_ids)
    training = CourseTraining(task.captions, len(image_ids), vectors, len(task.vocabulary))
    seconds = time_once(training).seconds
    dev_vectors = task.features.read("vector", list(task.references))
    captions = training.caption(dev_vectors, LONGEST)
    return seconds, task.judge([task.vocabulary.decode(ids) for ids in captions])


def main() -> None:
    """Prints the table."""
    parser = make_parser(__doc__)
    parser.add_argument("artifacts", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--images", type=int, default=6000)
    names = ["captioner", "course"]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    options = parser.parse_args()
    task = Task(options.artifacts, options.dataset, options.images)
    contenders = {"captioner": train_ours, "course": train_course}
    results = {name: contenders[name](task) for name in options.only}
    print_table(
        f"One epoch over {len(task.captions.image_ids)} images, greedy captions of dev images",
        ["who", "seconds", "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "CIDEr"],
        [[name, f"{seconds:,.0f}", *scores] for name, (seconds, scores) in results.items()],
    )


if __name__ == "__main__":
    main()
