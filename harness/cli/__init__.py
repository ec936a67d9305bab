"""The command line: one short function a command, heavy imports inside.

Exit codes: 0 all is well, 1 nothing came of it, 2 a mistake of the user's, 3 a partial table, 130
interrupted.
"""

import logging
import os
import sys
from typing import Any

import typer

from harness.cli.app import app as app_command
from harness.cli.compare import benchmark, evaluate, report
from harness.cli.control import cancel, retry, status, stop
from harness.cli.data import data_app
from harness.cli.doctor import doctor
from harness.cli.explain import explain
from harness.cli.gc import gc
from harness.cli.promote import export, predict, promote
from harness.cli.runs import quickstart, search, train, ui, winners
from harness.cli.space import spaces
from harness.cli.speed import speed_app
from harness.core.errors import HarnessError

app = typer.Typer(
    name="harness",
    help="Fair hyperparameter search and honest benchmark tables for chest X-ray classifiers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
COMMANDS = (
    quickstart, spaces, search, status, stop, cancel, retry, winners, benchmark, evaluate,
    report, explain, promote, export, predict, train, ui, doctor, gc,
)  # fmt: skip
for command in COMMANDS:
    app.command()(command)
app.command("app")(app_command)
app.add_typer(data_app, name="data")
app.add_typer(speed_app, name="speed")

UsageError: Any = typer.BadParameter.__base__
"""What Typer raises at a wrong command or option; no name for it is common to its versions."""

INTERRUPTED = 130


def main() -> None:
    """Run a command; a user's mistake is one line on stderr and exit code 2.

    With HARNESS_DEBUG in the environment a mistake is shown as a trace.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        code = app(prog_name="harness", standalone_mode=False) or 0
    except UsageError as error:
        code = 2
        is_help = "\n" in error.message  # `harness data`, which names no command
        print(error.message) if is_help else _complain(_usage(error))
    except (HarnessError, OSError) as error:
        if "HARNESS_DEBUG" in os.environ:
            raise
        code = 2
        _complain(_system_message(error) if isinstance(error, OSError) else str(error))
    except KeyboardInterrupt:
        code = INTERRUPTED  # what Typer makes of it, too
    if code == INTERRUPTED:
        _complain("interrupted; the same command goes on from here")
    raise SystemExit(code)


def _complain(message: str) -> None:
    """`message` on stderr, each of its lines marked as ours."""
    for line in message.splitlines():
        print(f"harness: {line}", file=sys.stderr)


def _usage(error: Any) -> str:
    what = error.format_message().replace("Input should", "it should").rstrip(".?")
    return f"{what}; see `{error.ctx.command_path if error.ctx else 'harness'} --help`"


def _system_message(error: OSError) -> str:
    """A full disk, a folder that may not be written."""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error} (HARNESS_DEBUG=1 shows where it was met)"
