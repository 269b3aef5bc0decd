"""Pipeline files: what is read, what is refused, and in which words."""

from pathlib import Path

import pytest

from captioner.config import Pipeline, find_pipeline, list_pipelines
from captioner.errors import ConfigError

PIPELINES = Path(__file__).parents[1] / "pipelines"


@pytest.fixture
def pipeline_file(tmp_path):
    def write(text, name="mine.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


SCENES = '[dataset]\nformat = "scenes"\n'


def test_every_shipped_pipeline_loads():
    paths = list(PIPELINES.rglob("*.toml"))
    assert len(paths) >= 3
    for path in paths:
        assert Pipeline.load(path).name == path.stem


def test_a_shipped_pipeline_is_found_by_name_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Pipeline.load("quickstart").settings.dataset.format == "scenes"
    assert "quickstart" in [path.stem for path in list_pipelines()]


def test_all_faults_come_at_once_with_the_nearest_known_name(pipeline_file):
    path = pipeline_file(
        'extra = 1\n[dataset]\nformat = "flicker8k"\nsplit_fractions = [0.5, 0.4, 0.2]\n'
        '[backbone]\nname = "vgg_16"\n'
        '[train]\nepoch = 3\nepochs = "three"\nbatch_size = 0\n'
        '[extract]\noutputs = ["vectors"]\n[trains]\n'
    )
    with pytest.raises(ConfigError) as caught:
        Pipeline.load(path, ["train.seed=1.5", "nonsense", "evaluate.beem=3"])
    text = str(caught.value)
    assert text.startswith(f"{path} has 12 faults:\n")
    for fault in (
        "--set nonsense: expected section.key=value",
        "Did you mean 'flickr8k'?",
        "[backbone] name = 'vgg_16' is unknown. Known: ",
        "Did you mean 'vgg16'?",
        "[train] epoch = 3: unknown key. Known: ",
        "Did you mean 'epochs'?",
        "[train] epochs = 'three': expected a whole number",
        "[train] batch_size = 0: expected at least 1",
        "[train] seed = 1.5: expected a whole number",
        "[evaluate] beem = 3: unknown key.",
        "[extract] outputs = 'vectors' is unknown.",
        "[extra]: unknown section.",
        "[trains]: unknown section.",
        "expected shares that add to 1",
    ):
        assert fault in text


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("train.epochs=3", 3),
        ("train.learning_rate=0.001", 0.001),
        ("dataset.path=some where/else", "some where/else"),
        ('dataset.path="2024"', "2024"),
        ('extract.outputs=["vector","grid"]', ("vector", "grid")),
        ("train.features=none.pkl", "none.pkl"),
    ],
)
def test_overrides_are_typed(pipeline_file, override, value):
    section, key = override.partition("=")[0].split(".")
    settings = Pipeline.load(pipeline_file(SCENES), [override]).settings
    assert getattr(getattr(settings, section), key) == value


def test_missing_paths_are_faults_like_any_other(pipeline_file):
    path = pipeline_file('[dataset]\nformat = "kaggle"\npath = "nowhere"\n[train]\nepocs = 1\n')
    with pytest.raises(ConfigError, match=r"(?s)has 2 faults.*path = 'nowhere': no such file"):
        Pipeline.load(path, check_paths=True)


@pytest.mark.parametrize("path", ["data", "data/captions.csv"])
def test_images_may_lie_below_the_data_set(pipeline_file, tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/photos").mkdir(parents=True)
    (tmp_path / "data/captions.csv").touch()
    text = f'[dataset]\nformat = "table"\npath = "{path}"\nimages = "IMAGES"\n'
    for images in ("photos", "data/photos"):
        Pipeline.load(pipeline_file(text.replace("IMAGES", images)), check_paths=True)
    with pytest.raises(ConfigError, match="images = 'pictures': no such file"):
        Pipeline.load(pipeline_file(text.replace("IMAGES", "pictures")), check_paths=True)


def test_a_mark_at_the_start_of_a_file_is_no_fault(pipeline_file):
    assert Pipeline.load(pipeline_file("\ufeff" + SCENES)).settings.dataset.format == "scenes"


@pytest.mark.parametrize(
    "fractions", ["[nan, 0.5, 0.5]", "[inf, 0, 0]", "[1.5, -0.5, 0]", "[0, 0, 0]"]
)
def test_fractions_add_up_to_one(pipeline_file, fractions):
    with pytest.raises(ConfigError, match="expected shares that add to 1"):
        Pipeline.load(pipeline_file(SCENES), [f"dataset.split_fractions={fractions}"])


def test_no_length_decides_everything(pipeline_file):
    with pytest.raises(ConfigError, match=r"length_exponent = inf: Input should be a finite"):
        Pipeline.load(pipeline_file(SCENES), ["evaluate.length_exponent=inf"])


def test_a_data_set_needs_a_path(pipeline_file):
    with pytest.raises(ConfigError, match=r"\[dataset\] path is missing: where the coco data"):
        Pipeline.load(pipeline_file('[dataset]\nformat = "coco"\n'))


def test_an_empty_file_says_which_section_is_missing(pipeline_file):
    with pytest.raises(ConfigError, match=r"\[dataset\] is missing"):
        Pipeline.load(pipeline_file(""))


def test_a_section_that_is_a_value_is_a_fault(pipeline_file):
    with pytest.raises(ConfigError, match=r"\[train\] = 3: expected a section"):
        Pipeline.load(pipeline_file(f"train = 3\n{SCENES}"), ["train.epochs=3"])


def test_toml_errors_name_the_line(pipeline_file):
    with pytest.raises(ConfigError, match=r"not valid TOML: .*line 2"):
        Pipeline.load(pipeline_file("[dataset]\nformat = \n"))


def test_a_file_named_like_a_stage_is_refused(pipeline_file):
    with pytest.raises(ConfigError, match="'train' is taken"):
        Pipeline.load(pipeline_file(SCENES, "train.toml"))


def test_an_unknown_name_lists_the_shipped_ones():
    with pytest.raises(ConfigError, match=r"no pipeline named 'quickstrat'.*mean 'quickstart'"):
        find_pipeline("quickstrat")
    with pytest.raises(ConfigError, match=r"no pipeline file nowhere/x.toml"):
        find_pipeline("nowhere/x.toml")


def test_defaults_and_fields_are_those_of_what_they_configure(pipeline_file):
    """The best values known are written in one place more; this keeps the two alike."""
    from dataclasses import asdict

    from captioner.decoders.settings import TrainSettings
    from captioner.decoders.spec import DecoderSpec
    from captioner.decoding.settings import SearchSettings
    from captioner.settings import DecoderSection

    settings = Pipeline.load(pipeline_file(SCENES)).settings
    assert settings.train.model_dump(exclude={"features", "members"}) == asdict(TrainSettings())
    search = SearchSettings()
    assert settings.evaluate.beam == search.num_beams
    assert settings.evaluate.length_exponent == search.length_exponent
    assert settings.evaluate.no_repeat_ngram == search.no_repeat_ngram
    assert settings.evaluate.no_stutter == search.no_stutter
    assert settings.evaluate.no_dangling == bool(search.never_last)
    derived = {"vocabulary_size", "feature_kind", "feature_shape"}
    fields = set(DecoderSpec.__dataclass_fields__) - derived
    assert set(DecoderSection.model_fields) == fields


ATTENTION = f'{SCENES}\n[decoder]\nkind = "attention"\n'


def test_places_of_a_grid_that_nobody_reads_are_a_fault(pipeline_file):
    chosen = ["extract.grid_side=5"]
    assert Pipeline.load(pipeline_file(ATTENTION), chosen).settings.extract.grid_side == 5
    with pytest.raises(ConfigError, match="grid_side = 5: no grid is extracted"):
        Pipeline.load(pipeline_file(SCENES), chosen)


@pytest.mark.parametrize(("size", "sides"), [("320", (320, 320)), ("[320, 288]", (320, 288))])
def test_one_number_is_the_side_of_a_square(pipeline_file, size, sides):
    settings = Pipeline.load(pipeline_file(SCENES), [f"backbone.input_size={size}"]).settings
    assert settings.backbone.input_size == sides


@pytest.mark.parametrize("size", ["[320]", "[1, 2, 3]", "'big'", "0", "[320, 0]", "320.5", "true"])
def test_what_is_no_size_is_one_fault_that_names_what_is(pipeline_file, size):
    with pytest.raises(ConfigError) as caught:
        Pipeline.load(pipeline_file(SCENES), [f"backbone.input_size={size}"])
    (line,) = str(caught.value).splitlines()[1:]
    assert line.endswith("expected a whole number of pixels, or [height, width], of 1 or more")


@pytest.mark.parametrize("fractions", ["[]", "[0.8]", "[0.8, 0.1]", "[0.7, 0.1, 0.1, 0.1]"])
def test_a_list_of_another_length_is_told_what_length_is_expected(pipeline_file, fractions):
    with pytest.raises(ConfigError) as caught:
        Pipeline.load(pipeline_file(SCENES), [f"dataset.split_fractions={fractions}"])
    assert str(caught.value).count(f"{fractions}: expected a list of 3") == 1


def test_what_is_extracted_follows_from_the_decoder(pipeline_file):
    load = Pipeline.load
    assert load(pipeline_file(SCENES)).settings.feature_kinds == ("vector",)
    assert load(pipeline_file(ATTENTION)).settings.feature_kinds == ("vector", "grid")
    both = ["extract.outputs=['vector', 'grid']"]
    assert load(pipeline_file(SCENES), both).settings.feature_kinds == ("vector", "grid")
    mirrored = ["train.mirrored=true"]
    kinds = load(pipeline_file(ATTENTION), mirrored).settings.feature_kinds
    assert kinds == ("vector", "grid", "grid_mirrored")
    with pytest.raises(ConfigError, match="holds no features of mirrored photographs"):
        load(pipeline_file(SCENES), [*mirrored, "train.features='f.pkl'"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("extract.outputs=['vector']", r"\['vector'\]: decoder.kind 'attention' reads the grid"),
        ("extract.outputs=['grid']", r"baseline reads the vector; add 'vector'"),
        ("train.features=f.pkl", r"holds vectors, and decoder.kind 'attention' reads grids"),
    ],
)
def test_a_decoder_whose_features_are_not_there_is_a_fault(pipeline_file, override, message):
    with pytest.raises(ConfigError, match=message):
        Pipeline.load(pipeline_file(ATTENTION), [override])
