"""`python -m captioner`: the command line."""

import sys


def main() -> None:
    """Runs the command line and exits with its code."""
    from captioner.cli.app import run_command_line

    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
