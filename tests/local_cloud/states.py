"""python tests/local_cloud/states.py FILE…: whether asl-validator takes the state machines, and whether all ways lead to an end.

asl-validator knows each state's fields, paths and intrinsic functions. That a state exists is enough for it: not that it is
in the same map, that a way leads from the start to it, or from it to an end. cfn-lint knows fields alone.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VALIDATOR = (ROOT / ".venv/asl/bin/node", ROOT / ".venv/asl/node_modules/asl-validator/dist/bin/asl-validator.js")
SCRATCH = ROOT / ".local-cloud" / "machines"


def main(paths: list[Path]) -> int:
    """How many of the machines are wrong; why is printed."""
    wrong = 0
    for path in paths:
        machine = definition(path)
        # The ways are not asked for before the fields are known to be there.
        found = refusals(machine) or mistakes(machine)
        for mistake in found:
            print(f"{path}: {mistake}", file=sys.stderr)
        wrong += bool(found)
    return wrong


def definition(path: Path) -> dict:
    """The machine in `path`. The partition is put in, since cfn-lint and asl-validator look at ARNs; other `${…}` stay."""
    return json.loads(path.read_text(encoding="utf-8").replace("${Partition}", "aws"))


def refusals(machine: dict) -> list[str]:
    """What asl-validator says against `machine`; nothing if it takes it."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    # Where an ARN must stand, a substitution is one.
    text = re.sub(r"\$\{\w+Arn\}", "arn:aws:lambda:us-east-1:000000000000:function:name", json.dumps(machine))
    file = SCRATCH / "machine.asl.json"
    file.write_text(text, encoding="utf-8")
    result = subprocess.run([*VALIDATOR, "--json-path", file], capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return []
    return (result.stdout + result.stderr).strip().splitlines()[1:] or [f"asl-validator ended with {result.returncode}"]


def mistakes(machine: dict, where: str = "") -> list[str]:
    """What is wrong with the ways through `machine` and through the maps in it; nothing if all of them lead to an end."""
    states = machine["States"]
    ways = {name: _next(state) for name, state in states.items()} | {"StartAt": [machine["StartAt"]]}
    found = [f"{where}{name}: there is no state {to!r}" for name in ways for to in ways[name] if to not in states]
    if found:
        return found
    reached = _closure({machine["StartAt"]}, lambda name: ways[name])
    found += [f"{where}{name}: no way leads here" for name in states if name not in reached]
    ending = {name for name, state in states.items() if state.get("End") or state["Type"] in ("Succeed", "Fail")}
    before = {name: [other for other in states if name in ways[other]] for name in states}
    found += [f"{where}{name}: no end can be reached" for name in states.keys() - _closure(ending, before.get)]
    for name, state in states.items():
        if "ItemProcessor" in state:
            found += mistakes(state["ItemProcessor"], f"{where}{name}/")
    return found


def _next(state: dict) -> list[str]:
    choices = state.get("Choices", []) + state.get("Catch", [])
    ways = [way["Next"] for way in choices] + [state[field] for field in ("Next", "Default") if field in state]
    return ways


def _closure(start: set[str], beyond) -> set[str]:
    """Everything that can be reached from `start`."""
    reached, waiting = set(), list(start)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += beyond(name)
    return reached


if __name__ == "__main__":
    sys.exit(main([Path(argument) for argument in sys.argv[1:]]))
