"""Let Atheris look for inputs that reach new lines of a parser: `python tests/reliability/explore.py SECONDS`.

Needs the extra `fuzz`. Each parser of parsers.py gets a process and its share of the seconds, with its healthy inputs
to begin from; two are explored at a time. Anything but a result or handgrad's own error ends it with the input printed.
"""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
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

    share, failed = max(1, int(sys.argv[1]) // len(PARSERS)), False
    commands = [[sys.executable, __file__, "--only", parser.name, str(share)] for parser in PARSERS]
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(2) as pool:  # a run ends without tidying up
        environment = os.environ | {"TMPDIR": scratch}
        runs = pool.map(partial(subprocess.run, capture_output=True, text=True, env=environment), commands)
        for parser, finished in zip(PARSERS, runs, strict=True):
            print(f"{parser.name}: {'FAILED' if finished.returncode else 'explored'} for {share} s", flush=True)
            if finished.returncode:
                failed = True
                print((finished.stdout + finished.stderr)[-3000:])
    sys.exit(failed)


if __name__ == "__main__":
    if sys.argv[1] == "--only":
        explore(sys.argv[2], int(sys.argv[3]))
    else:
        main()
