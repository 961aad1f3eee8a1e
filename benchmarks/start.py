"""How long `ordernotify --help` takes, beside a Typer program of one command, in the same run.

    python benchmarks/start.py [--runs 30] [--target 1.5]

Each run starts both, one after the other, so that a busy machine slows both down. Prints the medians and
their ratio, and whether boto3 was imported; ends with 1 if the ratio is above the target, or if it was.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ONE_COMMAND = """
import typer

app = typer.Typer()


@app.command()
def hello(name: str = "you") -> None:
    \"\"\"Say hello.\"\"\"
    print(name)


app()
"""
IMPORTS = """
import sys
from ordernotify.cli import main

sys.argv[1:] = ["--help"]
try:
    main()
finally:
    print(*sorted({"boto3", "botocore"} & set(sys.modules)), file=sys.stderr)
"""


def seconds(*command: str) -> float:
    """Run the command to its end and return the time that it took."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def compare(runs: int) -> tuple[float, float]:
    """Return the median seconds of the one-command program's help, and of ordernotify's."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "one.py")
        program.write_text(ONE_COMMAND)
        commands = (
            (sys.executable, str(program), "--help"),
            (str(Path(sys.executable).with_name("ordernotify")), "--help"),
        )
        times: tuple[list[float], list[float]] = ([], [])
        for number in range(runs + 1):
            for command, taken in zip(commands, times, strict=True):
                took = seconds(*command)
                if number:  # the first fills the caches
                    taken.append(took)
    return statistics.median(times[0]), statistics.median(times[1])


def main() -> int:
    """Compare, print, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--target", type=float, default=1.5)
    options = parser.parse_args()
    one, ours = compare(options.runs)
    asked = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    print(f"one command {one * 1000:.0f} ms, ordernotify {ours * 1000:.0f} ms, ratio {ours / one:.2f}")
    print(f"imported of AWS's: {asked.stderr.strip() or 'nothing'}")
    return int(ours / one > options.target or bool(asked.stderr.strip()))


if __name__ == "__main__":
    sys.exit(main())
