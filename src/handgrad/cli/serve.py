"""`handgrad serve`: the page, served by this machine to itself."""

import importlib.util
import socket
import threading
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from handgrad.cli.console import Threads, output_console
from handgrad.errors import HandgradError, RunError

#: What the page needs besides handgrad's own needs.
_PACKAGES = ("starlette", "uvicorn", "jsonschema", "latex2mathml")


def command(
    runs: Annotated[
        list[Path] | None, typer.Argument(help="Directories of runs to look at besides.", metavar="[RUN]…")
    ] = None,
    folder: Annotated[Path, typer.Option("--runs", help="The folder of runs; trainings write into it.")] = Path("runs"),
    host: Annotated[str, typer.Option(help="Where to listen; by default nobody else can reach it.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for one that is free.")] = 8000,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
    threads: Threads = None,
) -> None:
    """Open a page to draw digits, look inside a network, step through its backward pass, and train."""
    _check_installed()
    from handgrad.ops import limit_threads
    from handgrad.web.serving import ANYWHERE, listen, serve

    for run in runs or ():
        if not (run / "run.json").is_file():
            raise RunError(f"{run} is not the directory of a handgrad run; look into ./runs.")
    with listen(host, port) as bound, limit_threads(threads):
        name = socket.gethostname() if host in ANYWHERE else f"[{host}]" if ":" in host else host
        address = f"http://{name}:{bound.getsockname()[1]}/"

        def when_ready() -> None:
            _say(address, is_open=not bound.getsockname()[0].startswith(("127.", "::1")))
            if browser:  # some browsers keep whoever opens them waiting
                threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

        serve(bound, folder, runs or (), names=[name], threads=threads, when_ready=when_ready)


def _say(address: str, *, is_open: bool) -> None:
    """Where the page is; and to whom, if it is not this machine alone."""
    console = output_console()
    console.print(f"The page is at [bold cyan]{address}[/]  [dim]Ctrl-C ends it.[/]", soft_wrap=True)
    if is_open:
        console.print("[yellow]Everyone who can reach this machine can use it, and train on it.[/]", soft_wrap=True)


def _check_installed() -> None:
    """Name the extra that is missing, rather than a package."""
    missing = [package for package in _PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise HandgradError(
            f'The page needs {", ".join(missing)}, not installed here: python -m pip install "handgrad[web]".'
        )
