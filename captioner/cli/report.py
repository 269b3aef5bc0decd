"""captioner report: makes the report of an evaluation again."""

from pathlib import Path

import click

from captioner.cli.options import artifacts_option, check_folder


@click.command(
    epilog="""
\b
Examples:
  captioner report
  captioner report flickr8k -o flickr8k.html
  captioner report artifacts/evaluate/0123456789abcdef --images flickr8k/Images
"""
)
@click.argument("source", metavar="[PIPELINE|FOLDER]", default="quickstart")
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("report.html"),
    show_default=True,
    help="The file to write.",
)
@click.option(
    "--max-images",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    help="Images shown at most, from the best to the worst. A thousand stay below 15 MB.",
)
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where the photographs are, if not where they were.",
)
@artifacts_option
def command(source: str, out: Path, max_images: int, images: Path | None, artifacts: Path) -> None:
    """Write the report of what PIPELINE evaluated last, or of an evaluation's FOLDER.

    One HTML file that needs no other and no network: scores beside the baselines, training
    curves, words, and the photographs with the model's captions and people's. `captioner run`
    leaves the same report with each evaluation; this makes it again, with the looks of the
    installed version, other images or more of them. Nothing is evaluated anew.
    """
    check_folder(out)
    from captioner.cli.clean import format_size
    from captioner.report.evaluation_page import write_report
    from captioner.stages.evaluations import find_captions

    folder = find_captions(source, artifacts).parent
    written = write_report(folder, out, max_images=max_images, photographs=images)
    click.echo(
        f"{written.path}: {written.num_images:,} of {written.num_scored:,} images, "
        f"{format_size(written.path.stat().st_size)}"
    )
    if written.num_missing:
        click.echo(
            f"{written.num_missing:,} photographs could not be shown. If they have moved, say "
            "where they are with --images DIR.",
            err=True,
        )
