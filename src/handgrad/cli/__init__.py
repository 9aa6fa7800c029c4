"""The command line: all printing, progress bars and exit codes live here, one file a command."""

import io
import sys
from typing import Annotated

import typer

from handgrad.cli import (
    data,
    doctor,
    evaluate,
    explain,
    export,
    gradcheck,
    predict,
    recipes,
    report,
    reproduce,
    serve,
    sweep,
    train,
)
from handgrad.cli.console import error_console
from handgrad.errors import HandgradError

app = typer.Typer(
    name="handgrad",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    train,
    sweep,
    evaluate,
    report,
    predict,
    export,
    recipes,
    explain,
    gradcheck,
    doctor,
    data,
    reproduce,
    serve,
):
    app.command(module.__name__.rpartition(".")[2])(module.command)


def _print_version(wanted: bool) -> None:
    if wanted:
        from handgrad import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def handgrad(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Neural networks written out by hand: every forward and backward pass derived, visible and proved."""


def main() -> None:
    """Run the command line; an error becomes one sentence and exit code 1, or a traceback with --debug."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a letter gets a question mark
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]  # wherever it stands
    if len(arguments) < len(sys.argv) - 1:
        app(arguments)
        return
    try:
        app(arguments)
    except HandgradError as error:
        _fail(str(error))
    except MemoryError:
        _fail("There is not enough memory for this; take a smaller network or a smaller batch.")
    except OSError as error:
        _fail(f"{error.filename or 'A file'}: {error.strerror or error}.")
    except Exception as error:  # a bug of ours: say so in one sentence, and how to see more
        _fail(f"Internal error, {type(error).__name__}: {error}. Run again with --debug to see where.")


def _fail(sentence: str) -> None:
    from rich.markup import escape

    error_console().print(f"[bold red]Error:[/] {escape(sentence)}", highlight=False, soft_wrap=True)
    sys.exit(1)
