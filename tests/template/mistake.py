"""What a check finds: one line that names the file, what is wrong with it, and what to do."""

from typing import NamedTuple


class Mistake(NamedTuple):
    """One line of the report."""

    file: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}; {self.remedy}"
