"""The checklist of what the template must keep to, each rule with its claim as its first line, and the exceptions."""

from collections.abc import Callable, Iterable

import access
import combinations
import network
import running
import storage
from access import Violation
from mistake import Mistake
from stack import TEMPLATE, Stack

Rule = Callable[[Stack], Iterable[Violation]]
RULES: list[Rule] = access.RULES + storage.RULES + network.RULES + running.RULES + combinations.RULES

# What breaks a rule on purpose: the rule, the resource, and why.
EXCEPTIONS: dict[tuple[str, str], str] = {}


def mistakes(stack: Stack, exceptions: dict[tuple[str, str], str] | None = None) -> list[Mistake]:
    """Every violation that no exception allows, and every exception that allows nothing."""
    allowed = EXCEPTIONS if exceptions is None else exceptions
    found, used = [], set()
    for rule in RULES:
        for resource, what, remedy in rule(stack):
            if (rule.__name__, resource) in allowed:
                used.add((rule.__name__, resource))
            else:
                found.append(Mistake(TEMPLATE, f"{resource}: {what} [{rule.__name__}: {claim(rule)}]", remedy))
    for name, resource in sorted(allowed.keys() - used):
        found.append(Mistake("tests/template/rules.py", f"{resource} keeps to {name}", "remove the exception"))
    return found


def claim(rule: Rule) -> str:
    """What a rule says, in one line."""
    return (rule.__doc__ or "").splitlines()[0].rstrip(".")
