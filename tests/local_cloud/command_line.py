"""Runs the operator's command line, the real binary, against the local cloud."""

import json
import subprocess
from collections.abc import Callable

import deployment
from cloud import Cloud

SECONDS_MAX = 600


class Sluice:
    """`sluice` as an operator of the stack calls it, for programs: documents and JSON lines."""

    def __init__(self, cloud: Cloud):
        self._environment = cloud.environment() | {"SLUICE_STACK": deployment.STACK}

    def run(self, *arguments: str, told: Callable[[dict], None] = lambda _: None) -> tuple[int, list[dict], str]:
        """Exit code, the documents in their order, and what it said to people; `told` gets each document as it comes."""
        command = [deployment.COMMANDS_FOLDER / "sluice", "--output", "json", *arguments]
        documents = []
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, env=self._environment, text=True, **pipes) as process:
            for line in process.stdout:
                documents.append(json.loads(line))
                told(documents[-1])
            words = process.stderr.read()  # few
            code = process.wait(SECONDS_MAX)
        return code, documents, words
