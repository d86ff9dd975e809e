"""States of a state machine that lead nowhere. cfn-lint knows each state's own fields, not the way from one to the next."""


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
