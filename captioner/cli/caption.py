"""captioner caption: captions photographs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from captioner.captioning.existing import CaptionText, Existing
from captioner.cli.exit_codes import FINISHED_WITH_FAILURES
from captioner.cli.options import artifacts_option, parse_colour
from captioner.errors import UsageError

if TYPE_CHECKING:
    from captioner.captioning.caption import ImageResult
    from captioner.captioning.job import CaptionJob, LoadedEngine
    from captioner.captioning.listing import Listing
    from captioner.captioning.model_folder import ModelFolder
    from captioner.captioning.outputs import Outputs

TABLES = ("jsonl", "csv", "html")
_BATCH_SIZE = 16
_file = click.Path(dir_okay=False, path_type=Path)


@click.command(
    epilog="""
\b
Examples:
  captioner caption beach.jpg                        the caption on standard output
  captioner caption photos -r --ext .txt             photos/x/y.jpg gets photos/x/y.txt
  captioner caption photos -r --jsonl captions.jsonl --csv captions.csv
  captioner caption photos -r --format html          a contact sheet, to review and correct
  captioner caption photos --ext .caption --output-dir captions    leaves photos as it is
  captioner caption photos --write-metadata          into the photographs themselves
  find . -name '*.jpg' -print0 | captioner caption --filelist - --null --jsonl c.jsonl

\b
An interrupted run continues where it stopped when the same command is given again. Names that
are not UTF-8 have their exact bytes in the field path_base64.
"""
)
@click.argument("paths", nargs=-1, metavar="PATH...", type=click.Path())
@click.option("--recursive", "-r", is_flag=True, help="Enter sub-folders.")
@click.option("--filelist", metavar="FILE|-", help="Caption the files named here, one a line.")
@click.option("--null", "-0", "null_separated", is_flag=True, help="Names there end in NUL.")
@click.option("--ext", metavar=".txt|.caption", help="Write a sidecar file beside each image.")
@click.option(
    "--output-dir",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Put the sidecars here instead, in the same folder structure.",
)
@click.option("--jsonl", metavar="FILE", type=_file, help="Write a table in JSON Lines.")
@click.option("--csv", "csv_table", metavar="FILE", type=_file, help="Write a table in CSV.")
@click.option(
    "--html", metavar="FILE", type=_file, help="Write a contact sheet, to review and correct."
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(TABLES),
    multiple=True,
    help="Write captions.FORMAT in this folder; `--format html` is `--html captions.html`.",
)
@click.option(
    "--write-metadata", is_flag=True, help="Put captions into JPEG, PNG and WebP files themselves."
)
@click.option(
    "--existing",
    type=click.Choice(["skip", "overwrite", "append", "prepend", "fail"]),
    default="skip",
    show_default=True,
    help="What to do where there is a caption already.",
)
@click.option("--prefix", default="", metavar="TEXT", help="Put before each caption.")
@click.option("--suffix", default="", metavar="TEXT", help="Put behind each caption.")
@click.option(
    "--separator",
    metavar="TEXT",
    help="Between captions for append and prepend.  [default: newline]",
)
@click.option("--beam", type=int, metavar="N", help="Width of the search; 1 is fastest.")
@click.option("--n-best", type=int, default=1, metavar="N", help="Captions for each image.")
@click.option(
    "--diverse", is_flag=True, help="With --n-best: captions that differ in more than a word."
)
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="X",
    help="Leave captions below, 0 to 1, for review: only tables and --review show them.",
)
@click.option(
    "--review", metavar="FILE", type=_file, help="Where those are listed.  [default: review.jsonl]"
)
@click.option(
    "--background", default="white", show_default=True, help="Laid under what is transparent."
)
@click.option("--model", metavar="NAME|DIR", help="Another model; see `captioner models`.")
@click.option("--batch-size", type=click.IntRange(1), default=_BATCH_SIZE, show_default=True)
@click.option("--workers", type=click.IntRange(1), help="Threads that read images.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@artifacts_option
def command(
    paths: tuple[str, ...],
    recursive: bool,
    filelist: str | None,
    null_separated: bool,
    dry_run: bool,
    **options: Any,
) -> int:
    """Caption photographs: files, folders, patterns, or a list of files.

    Bad files do not stop a run; they are named at the end. Without any output option captions go
    to standard output.
    """
    from captioner.captioning.listing import Listing

    wishes = Wishes(**options)
    listing = Listing(paths, recursive, filelist, null_separated)
    outputs = _choose_outputs(wishes)
    if dry_run:
        return _preview(listing, outputs, wishes)
    job = _make_job(listing, outputs, wishes)
    try:
        summary = job.run()
    except KeyboardInterrupt as error:
        abort = click.Abort()  # click would raise it as well, without the note
        if outputs:
            abort.add_note("Give the same command again to continue.")
        raise abort from error
    if listing.single_image() is None or summary.num_failed:
        for line in summary.lines():
            click.echo(line, err=True)
    return FINISHED_WITH_FAILURES if summary.num_failed else 0


@dataclass(frozen=True)
class Wishes:
    """The options that say how to caption and where captions go, as the command line has them."""

    ext: str | None
    output_dir: Path | None
    jsonl: Path | None
    csv_table: Path | None
    html: Path | None
    formats: tuple[str, ...]
    write_metadata: bool
    existing: Existing
    prefix: str
    suffix: str
    separator: str | None
    beam: int | None
    n_best: int
    diverse: bool
    min_confidence: float
    review: Path | None
    background: str
    model: str | None
    batch_size: int
    workers: int | None
    artifacts: Path

    @property
    def sidecar_suffix(self) -> str | None:
        """The sidecars' suffix with its dot; an output folder alone asks for sidecars as well."""
        if self.ext is None:
            return None if self.output_dir is None else ".txt"
        return self.ext if self.ext.startswith(".") else f".{self.ext}"

    def table(self, kind: str) -> Path | None:
        """Returns the file of a table: as named, or named after the format that is asked for."""
        named = {"jsonl": self.jsonl, "csv": self.csv_table, "html": self.html}[kind]
        return Path(f"captions.{kind}") if named is None and kind in self.formats else named


def _choose_outputs(wishes: Wishes) -> "Outputs":
    from captioner.captioning.outputs import Outputs

    separator = "\n" if wishes.separator is None else wishes.separator
    text = CaptionText(wishes.existing, wishes.prefix, wishes.suffix, separator)
    return Outputs(
        sidecar_suffix=wishes.sidecar_suffix,
        output_dir=wishes.output_dir,
        jsonl=wishes.table("jsonl"),
        csv=wishes.table("csv"),
        html=wishes.table("html"),
        review=_review_path(wishes),
        metadata=wishes.write_metadata,
        text=text,
    )


def _review_path(wishes: Wishes) -> Path | None:
    """Returns where unsure captions are listed: beside the first output that has one place."""
    if wishes.review is not None:
        if not wishes.min_confidence:
            raise UsageError("--review lists captions below --min-confidence; give that as well.")
        return Path(wishes.review)
    is_shown_only = wishes.sidecar_suffix is None and not wishes.write_metadata
    tables = [path for kind in TABLES if (path := wishes.table(kind)) is not None]
    if not wishes.min_confidence or (is_shown_only and not tables):
        return None
    folder = tables[0].parent if tables else wishes.output_dir
    return Path("review.jsonl") if folder is None else Path(folder) / "review.jsonl"


def _preview(listing: "Listing", outputs: "Outputs", wishes: Wishes) -> int:
    from captioner.captioning.file_names import as_bytes, one_line
    from captioner.captioning.job import CaptionJob

    def no_engine() -> "LoadedEngine":
        raise UsageError("A dry run captions nothing.")

    job = CaptionJob(listing, outputs, no_engine, min_confidence=wishes.min_confidence)
    for listed, action in job.preview():
        click.echo(f"would {action}\t".encode() + as_bytes(one_line(str(listed.path))))
    return 0


def _make_job(listing: "Listing", outputs: "Outputs", wishes: Wishes) -> "CaptionJob":
    from captioner.captioning.engine import choose_search
    from captioner.captioning.job import CaptionJob
    from captioner.captioning.model_folder import find_model

    model = find_model(wishes.model, wishes.artifacts)
    asked: dict[str, Any] = {
        "beam": wishes.beam,
        "n_best": wishes.n_best,
        "diverse": wishes.diverse,
    }
    search = choose_search(model.search(), **asked)
    background = parse_colour(wishes.background)
    single = listing.single_image()
    batch_size = wishes.batch_size if single is None else 1
    return CaptionJob(
        listing,
        outputs,
        lambda: _load_engine(model, batch_size, asked, background),
        identity=[model.digest(), repr(search), list(background)],
        min_confidence=wishes.min_confidence,
        workers=wishes.workers,
        show=None if outputs else _Shower(wishes.prefix, wishes.suffix, single is not None),
    )


def _load_engine(
    model: "ModelFolder",
    batch_size: int,
    asked: dict[str, Any],
    background: tuple[int, int, int],
) -> "LoadedEngine":
    from captioner.cli.tensorflow import load_tensorflow

    load_tensorflow()
    from captioner.captioning.captioner import Captioner
    from captioner.captioning.job import LoadedEngine

    captioner = Captioner(model, batch_size=batch_size)
    return LoadedEngine(captioner.engine(**asked), captioner.loader(background))


class _Shower:
    """Shows captions on standard output: alone for one image, behind the path for several."""

    def __init__(self, prefix: str, suffix: str, is_single: bool) -> None:
        self._prefix = prefix
        self._suffix = suffix
        self._is_single = is_single

    def __call__(self, result: "ImageResult") -> None:
        from captioner.captioning.file_names import as_bytes, one_line

        if result.caption is None:
            return
        name = b"" if self._is_single else as_bytes(one_line(str(result.path))) + b"\t"
        is_unsure = result.status == "review"
        for caption in (result.caption, *result.caption.alternatives):
            text = f"{self._prefix}{caption.text}{self._suffix}"
            line = (b"for review: " if is_unsure else b"") + name + text.encode()
            click.echo(line, err=is_unsure)
