"""Drives the deployed chain and shows what happened; every line that it prints as done was checked."""

import json
import time
import urllib.parse
from collections.abc import Callable

import reader
import report
from deployment import Deployment
from samples import OUTPUT_PREFIX, SOURCE_PREFIX, Sample, compressible, oversize

WAIT_SECONDS_MAX = 60
MALFORMED = '{"Records": [{"s3": {"bucket": '


class Demo:
    """One run over one deployment."""

    def __init__(self, deployment: Deployment):
        self.deployment = deployment
        self.s3 = deployment.client("s3")
        self.sqs = deployment.client("sqs")
        self.bucket = deployment.bucket
        self.claims = report.Claims()

    def run(self) -> bool:
        """Whether everything came true."""
        started = time.monotonic()
        samples = compressible()
        uploads = [(sample, self.upload(sample)) for sample in samples]
        settled = self.wait("every output is there and every source is gone", lambda: self.settled(samples))
        self.show_outputs(samples, time.monotonic() - started)
        if settled:  # else the rest would only wait in vain
            self.show_sources(uploads)
            self.show_dead_letters()
            self.show_duplicates(uploads)
        self.claims.print()
        if not self.claims.all_true:
            report.print_function_log(self.deployment)
        return self.claims.all_true

    def upload(self, sample: Sample) -> dict:
        return self.s3.put_object(
            Bucket=self.bucket,
            Key=sample.source_key,
            Body=sample.body,
            ContentType=sample.content_type,
            Metadata={"team": "orders"},
        )

    def keys(self, prefix: str) -> set[str]:
        listing = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return {item["Key"] for item in listing.get("Contents", [])}

    def settled(self, samples: list[Sample]) -> bool:
        return self.keys(OUTPUT_PREFIX) >= {sample.output_key for sample in samples} and not self.keys(SOURCE_PREFIX)

    def wait(self, claim: str, come_true: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while not come_true():
            if time.monotonic() > deadline:
                self.claims.add(claim, False, f"not within {WAIT_SECONDS_MAX} s")
                return False
            time.sleep(0.1)
        self.claims.add(claim, True)
        return True

    def show_outputs(self, samples: list[Sample], seconds: float) -> None:
        rows, wrong = [], []
        for sample in samples:
            if sample.output_key not in self.keys(OUTPUT_PREFIX):
                rows.append(report.missing_row(sample))
                wrong.append(f"{sample.output_key} is missing")
                continue
            answer = self.s3.get_object(Bucket=self.bucket, Key=sample.output_key)
            archive = answer["Body"].read()
            mistakes = reader.mistakes(archive, sample) + _wrong_headers(answer, sample)
            wrong += [f"{sample.output_key}: {mistake}" for mistake in mistakes]
            gone = sample.source_key not in self.keys(SOURCE_PREFIX)
            rows.append(report.row(sample, len(archive), verified=not mistakes, gone=gone))
        report.print_table(rows, seconds)
        self.claims.add("every output reads back byte for byte, with Python's zipfile and with unzip", not wrong, wrong)
        tags = [self.s3.head_object(Bucket=self.bucket, Key=key)["ETag"] for key in self.keys(OUTPUT_PREFIX)]
        in_parts = [tag for tag in tags if "-" in tag]
        self.claims.add("only the one output above 8 MiB went up in parts", len(in_parts) == 1, tags)
        unexpected = self.keys(OUTPUT_PREFIX) - {sample.output_key for sample in samples}
        self.claims.add("there is one output per source and nothing else", not unexpected, unexpected)

    def show_sources(self, uploads: list[tuple[Sample, dict]]) -> None:
        kept = self.s3.list_object_versions(Bucket=self.bucket, Prefix=SOURCE_PREFIX).get("Versions", [])
        kept = {(version["Key"], version["VersionId"]) for version in kept}
        lost = [sample.source_key for sample, put in uploads if (sample.source_key, put["VersionId"]) not in kept]
        self.claims.add("a deleted source can still be restored: its version is kept", not lost, lost)

    def show_dead_letters(self) -> None:
        large = oversize()
        self.upload(large)
        self.sqs.send_message(QueueUrl=self.deployment.queue, MessageBody=MALFORMED)
        self.wait("both messages without hope are in the dead-letter queue", lambda: len(self.dead_letters()) == 2)
        letters = self.dead_letters()
        report.print_dead_letters(letters)
        by_reason = {letter.reason: letter for letter in letters}
        refused = by_reason.get("too_large")
        told = bool(refused) and (refused.bucket, refused.key) == (self.bucket, large.source_key)
        told = told and large.path in refused.body
        self.claims.add("the oversize object is named there as too_large, with its event", told, refused)
        self.claims.add("the oversize source is untouched", large.source_key in self.keys(SOURCE_PREFIX))
        malformed = by_reason.get("bad_message")
        intact = bool(malformed) and malformed.body == MALFORMED
        self.claims.add("the malformed message is there as bad_message, its body intact", intact, malformed)

    def dead_letters(self) -> list[report.DeadLetter]:
        """All of them; they stay in the queue."""
        found = {}
        while True:
            answer = self.sqs.receive_message(
                QueueUrl=self.deployment.dlq,
                MessageAttributeNames=["All"],
                MaxNumberOfMessages=10,
                VisibilityTimeout=0,
            )
            new = [message for message in answer.get("Messages", []) if message["MessageId"] not in found]
            if not new:
                return [report.DeadLetter.of(message) for message in found.values()]
            found |= {message["MessageId"]: message for message in new}

    def show_duplicates(self, uploads: list[tuple[Sample, dict]]) -> None:
        before = self.output_versions()
        for sample, put in uploads:
            self.sqs.send_message(QueueUrl=self.deployment.queue, MessageBody=_event(self.bucket, sample, put))
        self.wait(f"all {len(uploads)} events, sent a second time, are acknowledged", self.queue_is_empty)
        changed = self.output_versions() ^ before
        self.claims.add("the second time wrote nothing: same versions, ETags and times", not changed, changed)
        self.claims.add("the second time put nothing into the dead-letter queue", len(self.dead_letters()) == 2)

    def output_versions(self) -> set[tuple]:
        versions = self.s3.list_object_versions(Bucket=self.bucket, Prefix=OUTPUT_PREFIX).get("Versions", [])
        return {(item["Key"], item["VersionId"], item["ETag"], item["LastModified"]) for item in versions}

    def queue_is_empty(self) -> bool:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs.get_queue_attributes(QueueUrl=self.deployment.queue, AttributeNames=names)
        return all(answer["Attributes"][name] == "0" for name in names)


def _wrong_headers(answer: dict, sample: Sample) -> list[str]:
    """What the README promises about the output besides its bytes."""
    metadata = answer["Metadata"]
    expected = {
        "Content-Type": (answer["ContentType"], "application/zip"),
        "Content-Encoding": (answer.get("ContentEncoding", ""), ""),
        "source-size": (metadata.get("source-size"), str(len(sample.body))),
        "source-content-type": (metadata.get("source-content-type"), sample.content_type),
        "the source's own metadata": (metadata.get("team"), "orders"),
    }
    return [f"{name} is {found!r}, not {right!r}" for name, (found, right) in expected.items() if found != right]


def _event(bucket: str, sample: Sample, put: dict) -> str:
    """The notification that S3 sent for this upload, as far as it matters."""
    stored = {
        "key": urllib.parse.quote_plus(sample.source_key, safe="/"),
        "size": len(sample.body),
        "eTag": put["ETag"].strip('"'),
        "versionId": put["VersionId"],
        "sequencer": "0055AED6DCD90281E5",
    }
    record = {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}
    record["s3"] = {"s3SchemaVersion": "1.0", "bucket": {"name": bucket}, "object": stored}
    return json.dumps({"Records": [record]})
