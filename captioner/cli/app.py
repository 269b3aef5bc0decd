"""The command group: commands are imported when they are called, so `--help` answers at once."""

import importlib
import io
import os
import sys
from collections.abc import Sequence

import click

from captioner import __version__
from captioner.errors import CaptionerError
from captioner.names import nearest

# name -> what `captioner --help` says of it; the module of the same name holds the command
COMMANDS = {
    "run": "Run a pipeline: build, extract, tokenize, train, evaluate.",
    "caption": "Caption photographs: files, folders, whole archives.",
    "apply": "Write back captions that were corrected on a contact sheet.",
    "explain": "Draw which places of a photograph each word comes from.",
    "serve": "Caption photographs on a web page, or through a JSON API.",
    "models": "List encoders and trained models, and whether they are here.",
    "layers": "Show a network layer by layer.",
    "status": "Say which stages are up to date and, if not, why.",
    "evaluate": "Score a model, or captions made by anything.",
    "report": "Make an evaluation's report again: one HTML file.",
    "probe": "Say what an encoder's features know of caption words.",
    "compare": "Set evaluated systems side by side: settings, scores, captions.",
    "pretrain": "Train an encoder of your own from class folders.",
    "doctor": "Say what would fail before it fails.",
    "data": "Download a data set, or unpack one that you have.",
    "export": "Pack a trained model into a folder of its own.",
    "clean": "Remove artifacts that no pipeline points to.",
}
EPILOG = """
\b
Examples:
  captioner run                                  draw scenes, train and score on them
  captioner run flickr8k --stage extract         only the features, and what they need
  captioner run flickr8k --set train.epochs=3    another value for one run
  captioner status flickr8k                      what is up to date, and what is not
"""
INTERRUPTED = 130


class LazyGroup(click.Group):
    """A group whose commands live in modules of their own, imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names of all commands, in the order of a first use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports and returns one command."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"captioner.cli.{cmd_name}").command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command, or fails with the nearest name."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            known = ", ".join(COMMANDS)
            ctx.fail(f"No such command '{args[0]}'. Known: {known}.{nearest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="captioner")
def captioner() -> None:
    """Train, evaluate and use image-captioning models.

    Exit codes: 0 done, 1 failed, 2 a slip in the request, 3 finished but some files failed,
    130 interrupted.
    """


def run_command_line(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code; faults are told in words, on stderr."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up chatter
    if isinstance(sys.stdout, io.TextIOWrapper):  # captions and names may hold half an emoji
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = captioner.main(list(arguments), prog_name="captioner", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except CaptionerError as error:
        _tell(str(error), error)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except OSError as error:  # a disk that is full or gone; never the user's fault, nor ours
        where = f" ({error.filename})" if error.filename else ""
        _tell(f"{error.strerror or error}{where}", error)
        return CaptionerError.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        _tell("interrupted", error)
        _forget_interrupt()
        return INTERRUPTED


def _forget_interrupt() -> None:
    """Lets the process end with its own exit code though it was interrupted.

    Python notes an interrupt that leaves code compiled from a string (the methods of a dataclass
    while a module is imported, say), caught further out or not, and then dies of the signal under
    `python -m`. Running any other string clears the note (`run_eval_code_obj`, Python/pythonrun.c).
    """
    exec("")


def _tell(text: str, error: BaseException) -> None:
    notes = [*getattr(error, "__notes__", ()), *getattr(error.__cause__, "__notes__", ())]
    lines = [f"captioner: {text}", *notes]
    print("\n".join(lines), file=sys.stderr)
