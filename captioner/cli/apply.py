"""captioner apply: writes back the captions that were corrected on a contact sheet."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from captioner.cli.exit_codes import FINISHED_WITH_FAILURES

if TYPE_CHECKING:
    from captioner.captioning.corrections import Applied, Change


@click.command(
    epilog="""
\b
Examples:
  captioner caption photos -r --format html            makes the sheet captions.html
  captioner apply corrections.json                     photos/x.jpg gets photos/x.txt
  captioner apply corrections.json --root /data/photos --write-metadata
  captioner apply corrections.json --dry-run           says what would change

\b
Corrections are saved on the sheet. Without --root, their folder must lie within the current one.
"""
)
@click.argument("corrections", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--root",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder that was captioned; nothing outside of it is written.",
)
@click.option("--ext", metavar=".txt|.caption", help="Write sidecar files.  [default: .txt]")
@click.option(
    "--output-dir",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the sidecars are, if not beside the images.",
)
@click.option(
    "--write-metadata",
    is_flag=True,
    help="Write into JPEG, PNG and WebP files themselves, and sidecars only with --ext.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def command(
    corrections: Path,
    root: Path | None,
    ext: str | None,
    output_dir: Path | None,
    write_metadata: bool,
    dry_run: bool,
) -> int:
    """Write captions that were corrected on a contact sheet back to sidecars or images."""
    from captioner.captioning.corrections import apply_corrections, locate, read_corrections
    from captioner.captioning.existing import CaptionText
    from captioner.captioning.outputs import Outputs

    wants_sidecars = ext is not None or output_dir is not None or not write_metadata
    suffix = ".txt" if ext is None else f".{ext.removeprefix('.')}"
    outputs = Outputs(
        sidecar_suffix=suffix if wants_sidecars else None,
        output_dir=output_dir,
        metadata=write_metadata,
        text=CaptionText("overwrite"),
    )
    located = locate(read_corrections(corrections), root, follows_links=write_metadata)
    applied = []
    for result in apply_corrections(located, outputs, dry_run=dry_run):
        _tell(result, dry_run)
        applied.append(result)
    code = _sum_up(applied, dry_run)
    if code and root is None:
        click.echo("If the images lie elsewhere, name their folder with --root.", err=True)
    return code


def _tell(result: "Applied", dry_run: bool) -> None:
    from captioner.captioning.file_names import as_bytes, one_line

    if result.error is not None:
        failure = f"failed: {one_line(result.name)}: {result.error}"
        click.echo(as_bytes(failure), err=True)
    verb = b"would write " if dry_run else b"wrote "
    for change in result.changes:
        click.echo(verb + as_bytes(one_line(change.place)) + b": " + _tell_change(change))


def _tell_change(change: "Change") -> bytes:
    from captioner.captioning.file_names import as_bytes, one_line

    before = "(none)" if change.before is None else change.before
    return as_bytes(f"{one_line(before)} -> {one_line(change.after)}")


def _sum_up(applied: "list[Applied]", dry_run: bool) -> int:
    num_changed = sum(bool(result.changes) for result in applied)
    num_failed = sum(result.error is not None for result in applied)
    verb = "would correct" if dry_run else "corrected"
    click.echo(
        f"{verb} {num_changed:,}, unchanged {len(applied) - num_changed - num_failed:,}, "
        f"failed {num_failed:,}",
        err=True,
    )
    return FINISHED_WITH_FAILURES if num_failed else 0
