"""Checks that the transformed template keeps its rules, and that README, template and functions have the same settings.

    python tests/template TRANSFORMED.json
"""

import sys
from pathlib import Path

import rules
import settings
from stack import Stack

ROOT = Path(__file__).resolve().parents[2]


def main(transformed: str) -> int:
    stack = Stack.read(Path(transformed))
    project = settings.Project(ROOT, stack, (ROOT / "README.md").read_text(encoding="utf-8"))
    found = settings.mistakes(project) + rules.mistakes(stack)
    if found:
        print(*found, sep="\n", file=sys.stderr)
        return 1
    print(f"template: {len(rules.RULES)} rules kept, {sum(map(len, project.own.values()))} settings agree")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
