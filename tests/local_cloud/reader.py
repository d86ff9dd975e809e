"""Reads outputs back with programs that share no code with the function: Python's zipfile and Info-ZIP's unzip."""

import io
import subprocess
import tempfile
import zipfile

from samples import Sample


def mistakes(archive: bytes, sample: Sample) -> list[str]:
    """What is wrong with `archive` as the result of `sample`; nothing if it is right."""
    return by_zipfile(archive, sample) + _by_unzip(archive, sample)


def by_zipfile(archive: bytes, sample: Sample) -> list[str]:
    """The same, of one reader alone: no process for each of many."""
    name = sample.path.rpartition("/")[2]
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as file:
            if file.namelist() != [name]:
                return [f"zipfile: entries are {file.namelist()}, not [{name!r}]"]
            return [] if file.read(name) == sample.body else ["zipfile: other content"]
    except zipfile.BadZipFile as error:
        return [f"zipfile: {error}"]


def _by_unzip(archive: bytes, sample: Sample) -> list[str]:
    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        file.write(archive)
        file.flush()
        test = subprocess.run(["unzip", "-tqq", file.name], capture_output=True, text=True, check=False)
        content = subprocess.run(["unzip", "-p", file.name], capture_output=True, check=False)
    if test.returncode != 0:
        return [f"unzip -t: {test.stdout}{test.stderr}".strip()]
    return [] if content.stdout == sample.body else ["unzip -p: other content"]
