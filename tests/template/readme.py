"""The tables of the README that say what can be set."""

import re
from typing import NamedTuple

FILE = "README.md"
COMMON = "Common to all functions"
SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
IN_TEMPLATE = re.compile(r"\(the template: `([^`]+)`\)")


class Documented(NamedTuple):
    """One name in the first column of a table, and the part of the second column that belongs to it."""

    name: str
    default: str

    @property
    def literal(self) -> str | None:
        """The default, if it is a value and not words about one."""
        text = IN_TEMPLATE.sub("", self.default).strip()
        if match := re.fullmatch(r"`([^`]*)`", text):
            return match[1]
        return text if re.fullmatch(r"-?[0-9][0-9.]*|true|false", text) else None

    @property
    def in_template(self) -> str | None:
        """What the template sets where that is another value than the function's own."""
        match = IN_TEMPLATE.search(self.default)
        return match[1] if match else None


def settings(text: str, section: str) -> dict[str, Documented]:
    """The variables of the tables of settings in a section, by name."""
    rows = _rows(_section(text, section), "Setting")
    return {it.name: it for it in _documented(rows, r"[A-Z][A-Z0-9_]{2,}")}


def parameters(text: str) -> dict[str, Documented]:
    """The template's parameters in all tables of parameters, by name."""
    return {it.name: it for it in _documented(_rows(text, "Parameter"), r"[A-Z]\w*")}


def _section(text: str, title: str) -> str:
    parts = SECTION.split(text)
    return dict(zip(parts[1::2], parts[2::2])).get(title, "")


def _rows(text: str, header: str) -> list[list[str]]:
    """Cells of the rows below each table header that begins with `header`."""
    rows, inside = [], False
    for line in text.splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].split(",")[0] == header:
            inside = True
        elif inside and not set(cells[0]) <= set("- "):
            rows.append(cells)
    return rows


def _documented(rows: list[list[str]], pattern: str) -> list[Documented]:
    found = []
    for cells in rows:
        names = re.findall(rf"`({pattern})`", cells[0])
        defaults = re.findall(r"(?:`[^`]*`|\([^)]*\)|[^,`(])+", cells[1])
        if len(defaults) != len(names):
            defaults = [cells[1]] * len(names)
        found += [Documented(name, default.strip()) for name, default in zip(names, defaults)]
    return found
