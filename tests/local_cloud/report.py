"""What the demo prints."""

import dataclasses
import json
import sys

from deployment import Deployment
from samples import Sample

LOG_LINES_MAX = 40
ERROR_CHARACTERS_MAX = 160
EVIDENCE_LINES_MAX = 20


@dataclasses.dataclass(frozen=True)
class DeadLetter:
    """A message of the dead-letter queue and what the function wrote to it."""

    reason: str
    error: str
    bucket: str
    key: str
    body: str

    @classmethod
    def of(cls, message: dict) -> "DeadLetter":
        attributes = {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
        names = ("reason", "error", "bucket", "key")
        return cls(*(attributes.get(name, "") for name in names), message["Body"])


class Claims:
    """Sentences about the run and whether they are true."""

    def __init__(self):
        self._claims = []

    @property
    def all_true(self) -> bool:
        return bool(self._claims) and all(true for _, true, _ in self._claims)

    def add(self, sentence: str, true: bool, evidence: object = "") -> None:
        """`evidence` is printed when the sentence is false."""
        self._claims.append((sentence, true, evidence))

    def print(self, title: str = "Checked") -> None:
        print(f"\n{title}")
        for sentence, true, evidence in self._claims:
            print(f"  {'ok  ' if true else 'FAIL'}  {sentence}")
            for line in _evidence(evidence) if not true else []:
                print(f"          {line}")


def _evidence(evidence: object) -> list[str]:
    several = isinstance(evidence, (list, set, tuple))
    lines = sorted(map(str, evidence)) if several else [str(evidence)]
    return lines[:EVIDENCE_LINES_MAX]


_HEADER = ("source", "output", "bytes in", "bytes out", "ratio", "verified", "source is")
_SIDES = "<<>>><<"


def row(sample: Sample, output_bytes: int, *, verified: bool, gone: bool) -> tuple[str, ...]:
    """One line of the table; the ratio is of input to output."""
    size = len(sample.body)
    return (
        sample.source_key,
        sample.output_key,
        f"{size:,}",
        f"{output_bytes:,}",
        f"{size / output_bytes:.2f}" if size else "-",
        "yes" if verified else "NO",
        "gone" if gone else "STILL THERE",
    )


def missing_row(sample: Sample) -> tuple[str, ...]:
    """The line of a sample that never came out."""
    return (sample.source_key, "MISSING", f"{len(sample.body):,}", "", "", "NO", "")


def print_table(rows: list[tuple[str, ...]], seconds: float) -> None:
    """What became of each object."""
    _print_columns(_HEADER, _SIDES, rows)
    print(f"\n  {len(rows)} objects in {seconds:.1f} s, from the first upload to the last output")


_SWEEP_HEADER = ("sweep by the state machine", "ended", "files", "to purge", "purged", "directories", "seconds")
_SWEEP_SIDES = "<<>>>>>"


def sweep_row(label: str, ended: dict, seconds: float) -> tuple[str, ...]:
    """One line of the table of executions."""
    totals = ended["totals"]
    names = ("files_scanned", "files_to_purge", "files_purged", "dirs_purged")
    numbers = (f"{totals[name]:,}" if name in totals else "-" for name in names)
    return (label, totals.get("status") or ended.get("error") or ended["status"], *numbers, f"{seconds:.1f}")


def print_sweeps(rows: list[tuple[str, ...]]) -> None:
    """What each execution came to."""
    _print_columns(_SWEEP_HEADER, _SWEEP_SIDES, rows)


_TICK_HEADER = ("tick", "decision", "files", "count", "targets", "reason")
_TICK_SIDES = "<<>>><"


def tick_row(label: str, said: dict) -> tuple[str, ...]:
    """One line of the table of ticks; of a failed one, how its error begins: the claims print all of it."""
    files = said.get("file_count")
    error = f"{said.get('errorType')}: {said.get('errorMessage')}"[:ERROR_CHARACTERS_MAX]
    return (
        label,
        said.get("decision") or "FAILED",
        "-" if files is None else f"{files:,}",
        said.get("count_source") or "-",
        str(len(said.get("mount_targets") or [])),
        said.get("reason") or error,
    )


def print_ticks(rows: list[tuple[str, ...]]) -> None:
    """What each tick came to, and why."""
    _print_columns(_TICK_HEADER, _TICK_SIDES, rows)


_JOB_HEADER = ("seconds", "job", "state", "partitions", "listed", "enqueued", "compressed", "skipped", "failed", "left", "missing")
_JOB_SIDES = "><<>>>>>>>>"


def job_row(label: str, record: dict) -> tuple[str, ...]:
    """What a job's record says, without the seconds; of the answer to its start, that."""
    if "state" not in record:
        return (label, record.get("status", "?"), *[""] * 8)
    names = ("listed", "enqueued", "succeeded", "skipped", "failed", "remaining", "missing_outputs")
    numbers = ("-" if record[name] is None else f"{record[name]:,}" for name in names)
    return (label, record["state"], f"{record['partitions_done']}/{record['partitions_total']}", *numbers)


def print_jobs(rows: list[tuple[str, ...]]) -> None:
    """How each job went on."""
    _print_columns(_JOB_HEADER, _JOB_SIDES, rows)


def _print_columns(header: tuple[str, ...], sides: str, rows: list[tuple[str, ...]]) -> None:
    """Numbers to the right, text to the left."""
    widths = [max(len(cells[column]) for cells in [header, *rows]) for column in range(len(header))]
    print()
    for cells in [header, tuple("-" * width for width in widths), *rows]:
        aligned = [f"{cell:{side}{width}}" for cell, side, width in zip(cells, sides, widths, strict=True)]
        print("  " + "  ".join(aligned).rstrip())


def print_dead_letters(letters: list[DeadLetter]) -> None:
    """Why each message is there."""
    print("\nDead-letter queue")
    for letter in letters:
        print(f"  {letter.reason or 'NO REASON':12}  {letter.key or '(no key)'}  {letter.error}")


def counts_all(deployment: Deployment, job: dict, objects: int) -> bool:
    """Whether a job's record counts so many objects, none failed, but for what compress warns that it could not tell in time.

    A count that got lost is no lost object: on a machine that is busy the table answers late, and telling waits two seconds.
    """
    told = job.get("succeeded", 0) + job.get("skipped", 0)
    lines = [line for line in deployment.cloud.log.read_text(errors="replace").splitlines() if '"job was not told"' in line]
    warned = [json.loads(line) for line in lines if line.startswith("{")]
    untold = sum(line["succeeded"] + line["skipped"] for line in warned if line["job_id"] == job.get("job_id"))
    return job.get("failed") == 0 and told <= objects <= told + untold


def print_function_log(deployment: Deployment) -> None:
    """The end of the function's log, for a failed run."""
    print(f"\nEnd of the log ({deployment.cloud.log})", file=sys.stderr)
    for line in deployment.cloud.log.read_text(errors="replace").splitlines()[-LOG_LINES_MAX:]:
        print(f"  {line}", file=sys.stderr)
