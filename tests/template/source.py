"""The environment variables that a function reads, from the Rust source of its `Config`."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

READERS = "shared/src/env.rs"
COMMON = "shared/src/telemetry/settings.rs"
NAME = re.compile(r"[A-Z][A-Z0-9_]{2,}")
STRING_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*')


@dataclass(frozen=True)
class Variable:
    """One variable: whether the function starts without it, and its default where that is a literal."""

    name: str
    required: bool
    default: str | None


class Reader(NamedTuple):
    """A Rust function that reads the variable named by one of its arguments: where that is, and where the default."""

    name_at: int
    default_at: int | None


def functions(root: Path) -> list[str]:
    """Names of the functions: the folders that have a `Config`."""
    return sorted(path.parts[-3] for path in root.glob("functions/*/src/config.rs"))


def config_file(function: str) -> str:
    return f"functions/{function}/src/config.rs"


def variables(root: Path, file: str) -> dict[str, Variable]:
    """Every variable that `file` reads, by name.

    Raises `ValueError` for a name in `file` that no known reader takes: then this module must learn how it is read.
    """
    code = _code(root / file)
    readers = _readers(_code(root / READERS)) | _readers(code)
    found: dict[str, Variable] = {}
    for reader, arguments, is_optional in _calls(code, readers):
        name = ast.literal_eval(arguments[readers[reader].name_at])
        at = readers[reader].default_at
        default = None if at is None or is_optional else _literal(arguments[at])
        before = found.get(name, Variable(name, False, None))
        required = before.required or reader == "required"
        found[name] = Variable(name, required, before.default if before.default is not None else default)
    named = {text for text in re.findall(r'"([^"\\]*)"', code) if NAME.fullmatch(text) and "_" in text}
    if unread := sorted(named - found.keys()):
        raise ValueError(f"cannot tell how {', '.join(unread)} is read")
    return found


def _code(path: Path) -> str:
    """The source without tests and comments."""
    text = path.read_text(encoding="utf-8").split("#[cfg(test)]")[0]
    return STRING_OR_COMMENT.sub(lambda match: match[0] if match[0].startswith('"') else "", text)


def _readers(code: str) -> dict[str, Reader]:
    """Functions with an argument `name: &str`, but for the one that only complains about it."""
    found = {}
    for match in re.finditer(r"\bfn (\w+)(?:<[^{;]*?>)?\(", code):
        names = [it.split(":")[0].strip() for it in _split(_balanced(code, match.end()))]
        if match[1] != "mistake" and "name" in names:
            is_method = names[0].endswith("self")
            names = names[1:] if is_method else names
            found[match[1]] = Reader(names.index("name"), names.index("default") if "default" in names else None)
    return found


def _calls(code: str, readers: dict[str, Reader]) -> Iterator[tuple[str, list[str], bool]]:
    """Each call that names a variable: who reads, its arguments, and whether only what was set gets there."""
    for match in re.finditer(r"\b(\w+)\(", code):
        if match[1] in readers and not code[: match.start()].endswith("fn "):
            arguments = _split(_balanced(code, match.end()))
            if re.fullmatch(r'"[A-Z][A-Z0-9_]*"', arguments[readers[match[1]].name_at]):
                before = re.search(r"\|_\|\s*(\w+\s*\.\s*)?$", code[: match.start()])
                yield match[1], arguments, before is not None


def _balanced(code: str, start: int) -> str:
    """From `start`, right after a bracket, to the one that closes it."""
    depth, at, in_text = 1, start, False
    while depth:
        char = code[at]
        if char == "\\" and in_text:
            at += 1
        elif char == '"':
            in_text = not in_text
        elif not in_text:
            depth += (char in "([{") - (char in ")]}")
        at += 1
    return code[start : at - 1]


def _split(arguments: str) -> list[str]:
    """At the commas that stand in no bracket and no text."""
    parts, depth, in_text = [""], 0, False
    for char in arguments:
        if char == '"':
            in_text = not in_text
        elif not in_text:
            depth += (char in "([{") - (char in ")]}")
        if char == "," and depth == 0 and not in_text:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts if part.strip()]


def _literal(expression: str) -> str | None:
    """A default as a setting would spell it; `None` if only the running function knows it."""
    if re.fullmatch(r'"[^"]*"', expression):
        return expression[1:-1]
    if expression in ("true", "false"):
        return expression
    if variant := re.fullmatch(r"(?:[A-Z]\w*::)+([A-Z]\w*)", expression):
        return variant[1].lower()
    if not re.fullmatch(r"[0-9_.]+(\s*\*\s*[0-9_.]+)*", expression):
        return None
    product = 1.0
    for factor in expression.split("*"):
        product *= float(factor.strip().replace("_", ""))
    return f"{product:.15g}"
