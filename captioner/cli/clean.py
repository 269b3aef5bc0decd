"""captioner clean: removes artifacts that no pipeline points to."""

import shutil
from pathlib import Path

import click

from captioner.cli.options import artifacts_option
from captioner.errors import UsageError


@click.command(
    epilog="""
\b
Examples:
  captioner clean            lists what would go, then asks
  captioner clean --yes      does not ask
"""
)
@click.option("--yes", is_flag=True, help="Remove without asking.")
@artifacts_option
def command(yes: bool, artifacts: Path) -> None:
    """Remove artifacts that no pipeline points to, after saying which and how large.

    Leftovers of interrupted runs count among them. What a pipeline ran last is never touched.
    """
    from captioner.pipeline.artifacts import ArtifactStore, folder_bytes
    from captioner.pipeline.digests import DigestCache
    from captioner.pipeline.lock import hold_lock

    if not artifacts.is_dir():
        raise UsageError(f"There is no artifacts folder {artifacts}; name it with --artifacts DIR")
    with hold_lock(artifacts):
        store = ArtifactStore(artifacts, DigestCache(artifacts / ".digests.sqlite"))
        store.recover()
        folders = store.unreferenced()
        sizes = [folder_bytes(folder) for folder in folders]
        for folder, size in zip(folders, sizes, strict=True):
            click.echo(f"{format_size(size):>10}  {folder}")
        if not folders:
            click.echo(f"Nothing to remove in {artifacts}.")
            return
        if not (yes or _is_confirmed(len(folders), sum(sizes))):
            click.echo("Nothing was removed.")
            return
        for folder in folders:
            shutil.rmtree(folder)
        click.echo(f"Removed {len(folders)}, {format_size(sum(sizes))}.")


def format_size(num_bytes: int) -> str:
    """Returns a size as people read it, such as `1.2 MB`."""
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes >= 1e5 else f"{num_bytes / 1e3:.1f} kB"


def _is_confirmed(num_folders: int, num_bytes: int) -> bool:
    try:
        return click.confirm(f"Remove these {num_folders}, {format_size(num_bytes)} in all?")
    except click.Abort:  # nobody there to answer
        raise UsageError("Nothing was removed. Confirm with --yes.") from None
