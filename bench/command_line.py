"""The options that the benches of release binaries share."""

import argparse
import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def arguments(prog: str, description: str, cases: list[str], *, quick: str, variants: str) -> argparse.Namespace:
    """The command line: `quick` and `variants` say what is less, and what takes turns, in this bench."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--rounds", type=int, help=f"rounds, all {variants} in each (default 3; 1 with --quick)")
    parser.add_argument("--cases", nargs="+", choices=cases, default=cases, help="what to measure (default all)")
    parser.add_argument("--target-dir", type=Path, default=target, help="cargo's target folder (default: target)")
    parser.add_argument("--publish", action="store_true", help="also copy CSV and SVG to bench/results/, for the README")
    return parser.parse_args()
