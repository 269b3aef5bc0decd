"""captioner data: downloads a data set, or unpacks one that the user has."""

from pathlib import Path

import click


@click.command(
    epilog="""
\b
Examples:
  captioner data flickr8k --to flickr8k
  captioner data flickr8k --to flickr8k --from-zip Flickr8k_Dataset.zip --from-zip Flickr8k_text.zip
"""
)
@click.argument("name", type=click.Choice(["flickr8k"]))
@click.option(
    "--to",
    "folder",
    required=True,
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the data set goes.",
)
@click.option(
    "--from-zip",
    "archives",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An archive that is already here; give the option once for each.",
)
@click.option("--base-url", hidden=True, help="Another server with the same archives.")
def command(name: str, folder: Path, archives: tuple[Path, ...], base_url: str | None) -> None:
    """Fetch the data set NAME and verify it.

    Flickr8k is for research; its photographs belong to their authors on Flickr. An interrupted
    download continues where it stopped.
    """
    from captioner.datasets.download import BASE_URL, fetch_flickr8k

    ready = fetch_flickr8k(
        folder, from_zip=archives, base_url=BASE_URL if base_url is None else base_url
    )
    click.echo(f"{name} is in {ready}. Next: captioner run {name} --set dataset.path={ready}")
