"""Compresses what is already there, by the command line, and shows its progress; `demo.py` does the same for what arrives."""

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import reader
import report
from command_line import Sluice
from deployment import Deployment
from samples import OUTPUT_PREFIX, SOURCE_PREFIX, Sample, partition

WAIT_SECONDS_MAX = 60
FOLDERS = 16
IN_FOLDERS = 240
FLAT = 60
AT_ONCE = 16


def small_samples(batch: str, number: int, folders: int = 0) -> Iterator[Sample]:
    """So many objects of a few hundred bytes: flat, or as uploaders spread them, over the first of the 256 folders."""
    found = 0
    for serial in itertools.count():
        path = f"{batch}/{serial:05}.json"
        folder = partition(path)
        if folders and int(folder, 16) >= folders:
            continue
        yield Sample(f"{folder}/{path}" if folders else path, f'{{"of": "{path}"}}\n'.encode() * (serial % 20 + 1), "application/json")
        found += 1
        if found == number:
            return


class Bucket:
    """What is in the bucket of a stack, put and read by many hands."""

    def __init__(self, deployment: Deployment):
        self.s3 = deployment.client("s3")
        self.name = deployment.bucket

    def put(self, samples: list[Sample]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as hands:
            list(hands.map(self._put, samples))

    def _put(self, sample: Sample) -> None:
        self.s3.put_object(Bucket=self.name, Key=sample.source_key, Body=sample.body, ContentType=sample.content_type)

    def keys(self, prefix: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def remove(self, prefix: str) -> None:
        for key in self.keys(prefix):
            self.s3.delete_object(Bucket=self.name, Key=key)

    def mistakes(self, samples: list[Sample]) -> list[str]:
        """What is wrong with the outputs of `samples`, read back one by one."""
        with ThreadPoolExecutor(AT_ONCE) as hands:
            return [mistake for found in hands.map(self._mistakes, samples) for mistake in found]

    def _mistakes(self, sample: Sample) -> list[str]:
        try:
            archive = self.s3.get_object(Bucket=self.name, Key=sample.output_key)["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            return [f"{sample.output_key} is missing"]
        return [f"{sample.output_key}: {mistake}" for mistake in reader.by_zipfile(archive, sample)]


class BackfillDemo:
    """One run over one deployment."""

    def __init__(self, deployment: Deployment):
        self.deployment = deployment
        self.bucket = Bucket(deployment)
        self.sluice = Sluice(deployment.cloud)
        self.samples = [*small_samples("2025", IN_FOLDERS, FOLDERS), *small_samples("export", FLAT)]
        self.claims = report.Claims()
        self.rows: list[tuple[str, ...]] = []

    def run(self) -> bool:
        """Whether everything came true."""
        self.bucket.remove(SOURCE_PREFIX)  # what was to stay there
        there = self.notify({})
        before = set(self.bucket.keys(OUTPUT_PREFIX))
        self.bucket.put(self.samples)
        self.show_dry_run()
        self.show_job()
        self.notify(there)
        self.show_outputs(before)
        report.print_jobs(self.rows)
        self.claims.print()
        if not self.claims.all_true:
            report.print_function_log(self.deployment)
        return self.claims.all_true

    def notify(self, configuration: dict) -> dict:
        """Sets what the bucket tells of; what it told of before. Without any it is as if the stack had come later."""
        s3, name = self.bucket.s3, self.bucket.name
        before = s3.get_bucket_notification_configuration(Bucket=name)
        del before["ResponseMetadata"]
        s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=configuration)
        return before

    def start(self, label: str, *options: str) -> tuple[int, dict, str]:
        """One job, watched to its end, a row of the table for each thing that happened: exit code, record, words."""
        started, last = time.monotonic(), ()

        def told(document: dict) -> None:
            nonlocal last
            row = report.job_row(label, document)
            if row[1:] != last:
                self.rows.append((f"{time.monotonic() - started:.1f}", *row))
                last = row[1:]

        watched = ("--watch", "--every", "0.5", "--poll-seconds", "1", *options)
        code, documents, words = self.sluice.run("backfill", "start", "--job-id", label, *watched, told=told)
        return code, documents[-1] if documents else {}, words

    def show_dry_run(self) -> None:
        code, job, words = self.start("how-much", "--dry-run")
        right = {"state": "completed", "listed": len(self.samples), "enqueued": 0}
        found = {name: job.get(name) for name in right}
        sentence = f"a dry run counts the {len(self.samples)} objects that no event told of"
        self.claims.add(sentence, (code, found) == (0, right), (job, words))
        untouched = sorted(self.bucket.keys(SOURCE_PREFIX)) == sorted(sample.source_key for sample in self.samples)
        self.claims.add("it sends nothing: all of them are still there", untouched)

    def show_job(self) -> None:
        code, job, words = self.start("what-is-there", "--partitions", "hash")
        self.claims.add("the job is completed, exit code 0", (code, job.get("state")) == (0, "completed"), (code, job, words))
        counted = job.get("enqueued") == len(self.samples) and report.counts_all(self.deployment, job, len(self.samples))
        self.claims.add(f"its record counts {len(self.samples)} of {len(self.samples)} objects, none failed", counted, job)
        exact = (job.get("remaining"), job.get("missing_outputs")) == (0, 0)
        self.claims.add("its verification found no source that is left over and no output that is missing", exact, job)

    def show_outputs(self, before: set[str]) -> None:
        left = self.bucket.keys(SOURCE_PREFIX)
        self.claims.add("every source is gone", not left, left)
        wrong = self.bucket.mistakes(self.samples)
        self.claims.add("every output is there and reads back byte for byte", not wrong, wrong)
        strange = (set(self.bucket.keys(OUTPUT_PREFIX)) - before) ^ {sample.output_key for sample in self.samples}
        self.claims.add("there is one output for each and nothing else", not strange, strange)
