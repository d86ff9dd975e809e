"""The project as it is, for tests that break a copy of it."""

import copy
import dataclasses
import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from settings import Project
from stack import Stack

ROOT = Path(__file__).resolve().parents[2]

Change = Callable[[dict[str, Any]], None]


@functools.cache
def _transformed() -> dict[str, Any]:
    command = [sys.executable, ROOT / "tests/local_cloud/transform.py", ROOT / "template.yaml"]
    environment = os.environ | {"AWS_DEFAULT_REGION": "us-east-1"}
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def stack(change: Change | None = None) -> Stack:
    """The template, with `change` made to a copy of it."""
    template = copy.deepcopy(_transformed())
    if change:
        change(template)
    return Stack(template)


def project(change: Change | None = None, **other: Any) -> Project:
    """The project with such a template, and with what `other` puts in place of its parts."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return dataclasses.replace(Project(ROOT, stack(change), readme), **other)


def put(value: Any, *path: str | int) -> Change:
    """Sets what is at `path`."""

    def change(template: dict[str, Any]) -> None:
        node = template
        for step in path[:-1]:
            node = node[step]
        node[path[-1]] = value

    return change


def take(*path: str | int) -> Change:
    """Removes what is at `path`."""

    def change(template: dict[str, Any]) -> None:
        node = template
        for step in path[:-1]:
            node = node[step]
        del node[path[-1]]

    return change
