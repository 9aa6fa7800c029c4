"""Let Atheris look for inputs that reach new lines of a parser: `python tests/reliability/explore.py SECONDS`.

Needs the extra `fuzz`. Each parser of parsers.py gets a process and its share of the time, with its healthy inputs to
begin from. Anything but a result or handgrad's own error ends it with the input printed.
"""

import subprocess
import sys
import tempfile
from pathlib import Path


def explore(name: str, seconds: int) -> None:
    """One parser, in this process, which does not come back."""
    import atheris

    with atheris.instrument_imports(include=["handgrad", "tomllib", "PIL"]):
        from parsers import PARSERS

    from handgrad.errors import HandgradError

    parser = next(parser for parser in PARSERS if parser.name == name)
    corpus = Path(tempfile.mkdtemp(prefix="handgrad-corpus-"))
    for number, seed in enumerate(parser.seeds()):
        (corpus / str(number)).write_bytes(seed)

    def target(content: bytes) -> None:
        try:
            parser.parse(parser.wrap(content))
        except HandgradError:
            return

    limits = ["-max_len=20000", "-timeout=5", "-rss_limit_mb=2000", "-verbosity=0"]
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", *limits, str(corpus)], target)
    atheris.Fuzz()


def main() -> None:
    """Every parser for its share of the time."""
    from parsers import PARSERS

    total, failed = int(sys.argv[1]), []
    for parser in PARSERS:
        share = max(1, total // len(PARSERS))
        command = [sys.executable, __file__, "--only", parser.name, str(share)]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        print(f"{parser.name}: {'explored' if finished.returncode == 0 else 'FAILED'} for {share} s", flush=True)
        if finished.returncode:
            failed.append(parser.name)
            print((finished.stdout + finished.stderr)[-3000:])
    sys.exit(bool(failed))


if __name__ == "__main__":
    if sys.argv[1] == "--only":
        explore(sys.argv[2], int(sys.argv[3]))
    else:
        main()
