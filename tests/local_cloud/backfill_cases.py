"""Backfills of a bucket that was there before the stack: many objects, a job that is killed, poison, both shapes of input, a report.

What the local engine leaves out: it takes no bound from a path (64 children at a time), makes no batches, lets the children
of an execution that was stopped run on, so that a job that is gone on with meets them, and redrives nothing.
"""

import collections
import copy
import json
import os
import signal
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import inventories
import report
from backfill import AT_ONCE, Bucket, small_samples
from cloud import Cloud
from command_line import Sluice
from deployment import ROOT, STACK, Deployment, client, deploy
from samples import OUTPUT_PREFIX, SOURCE_PREFIX, Sample

BUCKET = "there-already"
# State machines wait this share of what they say.
WAIT_SCALE = 0.05
WAIT_SECONDS_MAX = 120
MANY = 5_000
KILLED = 1_280
KILLED_FOLDERS = 128
KILLED_PER_SECOND = 250
POISON = 20
POISON_BYTES = 4_096
ALL_FOLDERS = 256
REPORT_FILES = 12  # of which one is less than a tenth
WATCHED = ("--watch", "--every", "0.5", "--poll-seconds", "20", "--settle-seconds", "1200")


class BackfillTest:
    """All cases, one after the other, on one stack."""

    def __init__(self, cloud: Cloud, architecture: str):
        self.cloud = cloud
        self.architecture = architecture
        self.sluice = Sluice(cloud)
        self.claims = report.Claims()
        self.rows: list[tuple[str, ...]] = []

    def run(self) -> bool:
        """Whether everything came true."""
        self.there_before()
        try:
            self.show_many()
            self.show_killed()
            self.show_poison()
            self.show_batches()
            self.show_inventory()
            self.show_redriven()
        finally:
            report.print_jobs(self.rows)
            self.claims.print("Backfills")
        if not self.claims.all_true:
            report.print_function_log(self.deployment)
        return self.claims.all_true

    def there_before(self) -> None:
        """A bucket full of objects, then a stack that hears of new ones alone: the bucket does not even tell EventBridge."""
        s3 = client(self.cloud, "s3")
        for bucket in (BUCKET, inventories.BUCKET):
            s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        named = {"ExistingBucketName": BUCKET, "InventoryBucketName": inventories.BUCKET}
        # Each environment is a process, which takes longer to start than a batch takes.
        # By default, sources of a bucket that was there are kept.
        removing = {"SourceDisposition": "delete"}
        parameters = {"Architecture": self.architecture, "CompressMaxConcurrency": "16"} | named | removing
        self.deployment: Deployment = deploy(self.cloud, parameters)
        self.bucket = Bucket(self.deployment)
        self.machines = self.deployment.client("stepfunctions")

    def start(self, label: str, *options: str) -> tuple[int, dict, str]:
        """One job, watched to its end; a row of the table."""
        started = time.monotonic()
        code, documents, words = self.sluice.run("backfill", "start", "--job-id", label, *WATCHED, *options)
        record = documents[-1] if documents else {}
        self.rows.append((f"{time.monotonic() - started:.1f}", *report.job_row(label, record)))
        return code, record, words

    def execution(self, label: str) -> str:
        """ARN of the one that a job began with."""
        return f"{self.deployment.outputs['BackfillArn'].replace(':stateMachine:', ':execution:')}:{label}"

    def job(self, label: str) -> dict:
        """Its record, by the command line."""
        code, documents, words = self.sluice.run("backfill", "status", label)
        return documents[0] if code == 0 else {"words": words}

    def verify(self, label: str) -> tuple[int, dict]:
        """Counted once more."""
        code, documents, _ = self.sluice.run("backfill", "verify", label)
        return code, documents[-1] if documents else {}

    def claim_done(self, label: str, samples: list[Sample], ended: tuple[int, dict, str], *, resumed: bool = False) -> None:
        """The job is completed, and the bucket is as its record says: asked of the bucket, object by object.

        One that was gone on with counts what was enqueued again a second time, as skipped: those found their output there.
        """
        code, job, words = ended
        right = code == 0 and job.get("state") == "completed"
        again = job.get("skipped", 0) if resumed else 0
        counted = report.counts_all(self.deployment, job, len(samples) + again)
        self.claims.add(f"{label}: completed, {len(samples):,} objects counted, none failed", right and counted, (job, words))
        exact = (job.get("remaining"), job.get("missing_outputs")) == (0, 0)
        left = self.bucket.keys(SOURCE_PREFIX)
        self.claims.add(f"{label}: verified, and really no source is left", exact and not left, (job, left[:9]))
        made = self.made(samples)
        missing = [sample.output_key for sample in samples if not made[sample.output_key]]
        self.claims.add(f"{label}: every object has its output", not missing, missing)
        twice = [key for key, versions in made.items() if versions > 1]
        self.claims.add(f"{label}: none was written twice", not twice, twice)

    def made(self, samples: Iterable[Sample]) -> collections.Counter:
        """How many versions of each output there are."""
        pages = self.bucket.s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET, Prefix=OUTPUT_PREFIX)
        found = collections.Counter(version["Key"] for page in pages for version in page.get("Versions", []))
        return collections.Counter({sample.output_key: found[sample.output_key] for sample in samples})

    def wait(self, come_true: Callable[[], object]) -> bool:
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while not come_true():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def show_many(self) -> None:
        samples = list(small_samples("many", MANY, ALL_FOLDERS))
        self.bucket.put(samples)
        folders = {sample.path[:2] for sample in samples}
        self.claims.add(f"{MANY:,} objects lie in {len(folders)} folders", len(folders) == ALL_FOLDERS)
        ended = self.start("many", "--partitions", "hash", "--workers", "64")
        self.claim_done("many", samples, ended)
        wrong = self.bucket.mistakes(samples[::25])
        self.claims.add(f"many: {len(samples[::25])} outputs, read back, are right byte for byte", not wrong, wrong)
        code, job = self.verify("many")
        self.claims.add("many: verified once more, with the same result", (code, job.get("state")) == (0, "completed"), job)
        again, _, words = self.sluice.run("backfill", "start", "--job-id", "many")
        self.claims.add("many: a job of that name is not started a second time", again == 3 and "exists (state completed)" in words, words)

    def show_killed(self) -> None:
        samples = list(small_samples("killed", KILLED, KILLED_FOLDERS))
        self.bucket.put(samples)
        options = ("--partitions", "hash", "--workers", "64", "--max-rate", str(KILLED_PER_SECOND))
        with ThreadPoolExecutor(1) as aside:
            started = aside.submit(self.start, "killed", *options)
            self.wait(lambda: started.done() or self.job("killed").get("enqueued", 0) >= KILLED // 4)
            killed = 0
            if not started.done():
                killed = _kill_half(self.cloud, f"{STACK}-backfill")
                self.machines.stop_execution(executionArn=self.execution("killed"), error="Killed", cause="a test")
            code, job, words = started.result()
        self.claims.add("killed: half of the function's processes, while they enqueued", killed > 0, (job, words))
        middle = job.get("state") == "listing" and job.get("partitions_done", 0) < job.get("partitions_total", 0)
        self.claims.add("killed: stopped in the middle, and nobody says that it is done", middle and code != 0, (job, words))
        code, _, words = self.sluice.run("backfill", "start", "--job-id", "killed", "--resume", *WATCHED)
        refused = code == 3 and "no execution of it runs" in words
        self.claims.add("killed: while its record says that it runs, it is not gone on with", refused, words)
        code, _, words = self.sluice.run("backfill", "abort", "killed")
        self.claims.add("killed: ended, as its message says", code == 0, words)
        self.claim_done("killed", samples, self.start("killed", "--resume"), resumed=True)

    def show_poison(self) -> None:
        """A limit that is too low for some, as a mistake of whoever deployed it."""
        small = list(small_samples("poison", 80))
        body = b'{"a": 1}\n' * POISON_BYTES
        large = [Sample(f"poison/large-{number:02}.json", body, "application/json") for number in range(POISON)]
        before = self.set_limit(str(POISON_BYTES))
        self.bucket.put(small + large)
        code, job, words = self.start("poison")
        found = {name: job.get(name) for name in ("state", "succeeded", "failed", "remaining")}
        right = {"state": "failed", "succeeded": len(small), "failed": POISON, "remaining": POISON}
        sentence = f"poison: the job failed, exit code 3, for {POISON} objects that cannot succeed"
        self.claims.add(sentence, (code, found) == (3, right), (code, job, words))
        ended = self.machines.describe_execution(executionArn=self.execution("poison"))
        failed = (ended["status"], ended.get("error")) == ("FAILED", "Backfill.Incomplete")
        self.claims.add(f"poison: its execution failed as {ended.get('error')}: {ended.get('cause')}", failed, ended["status"])
        _, letters, _ = self.sluice.run("dlq", "list")
        named = {letter["key"] for letter in letters if (letter["reason"], letter["job_id"]) == ("too_large", "poison")}
        whole = named == {sample.source_key for sample in large} and len(letters) == POISON
        self.claims.add(f"poison: all {POISON} are in the dead-letter queue with their reason", whole, letters)
        code, job = self.verify("poison")
        self.claims.add("poison: verified before the cause is mended it stays failed", (code, job.get("state")) == (3, "failed"), job)
        self.set_limit(before)
        self.show_replay(small + large)

    def show_replay(self, samples: list[Sample]) -> None:
        code, told, words = self.sluice.run("dlq", "replay", "--reason", "too_large")
        sent = told[0].get("replayed") if told else None
        self.claims.add(f"poison: mended, {sent} messages are replayed", (code, sent) == (0, POISON), (told, words))
        self.wait(lambda: self.job("poison").get("succeeded", 0) >= len(samples))
        code, job = self.verify("poison")
        # What had failed failed: that is kept beside what succeeded in the end.
        counted = (job.get("succeeded"), job.get("failed")) == (len(samples), POISON)
        self.claims.add("poison: verified, it is completed", code == 0 and job.get("state") == "completed" and counted, job)
        left, (_, letters, _) = self.bucket.keys(SOURCE_PREFIX), self.sluice.run("dlq", "list")
        twice = [key for key, versions in self.made(samples).items() if versions != 1]
        sentence = "poison: no source, no dead letter is left, and each output was written once"
        self.claims.add(sentence, not (left or letters or twice), (left, letters, twice))

    def set_limit(self, largest: str) -> str:
        """Largest object that compress takes, bytes; what it was."""
        functions, name = self.deployment.client("lambda"), self.deployment.outputs["CompressFunctionName"]
        variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        changed = variables | {"MAX_OBJECT_BYTES": largest}
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": changed})
        return variables["MAX_OBJECT_BYTES"]

    def invoke(self, payload: dict) -> dict:
        """Calls the function by hand, as the state machine does."""
        name = self.deployment.outputs["BackfillFunctionName"]
        answer = self.deployment.client("lambda").invoke(FunctionName=name, Payload=json.dumps(payload))
        return json.loads(answer["Payload"].read())

    def show_batches(self) -> None:
        """The shape that the state machine sends where it makes batches, which the local one does not."""
        samples = list(small_samples("batches", 60, 8))
        self.bucket.put(samples)
        job = {"job_id": "batches"}
        folders = [f"{SOURCE_PREFIX}{folder:02x}/" for folder in range(8)]
        plan = self.invoke(_event("backfill-dry-run") | job | {"dry_run": False, "partitions": folders})
        shares = [job | {"partition": number, "workers": plan["workers"]} for number in plan["partitions"]]
        said = self.invoke(_event("backfill-batch") | {"Items": shares})
        done = (said.get("status"), said.get("Items"), len(shares)) == ("complete", [], len(folders))
        self.claims.add(f"batches: one invocation enqueues {len(shares)} partitions", done, said)
        self.invoke({"action": "listed"} | job)
        self.wait(lambda: self.job("batches").get("succeeded", 0) >= len(samples))
        begun = self.invoke({"action": "verify_start", "round": "by-hand"} | job)
        shares = [job | {"partition": number, "round": begun["round"]} for number in begun["partitions"]]
        said = self.invoke({"action": "verify", "Items": shares, "BatchInput": {}})
        self.claims.add("batches: and one verifies them", said.get("status") == "complete", said)
        self.invoke({"action": "conclude", "round": begun["round"]} | job)
        record = self.job("batches")
        self.rows.append(("-", *report.job_row("batches", record)))
        self.claim_done("batches", samples, (0, record, ""))

    def show_inventory(self) -> None:
        """A report of the objects, of an older version, a removal, a folder marker, and something outside of the folder."""
        samples = [*small_samples("inventory", 40), Sample("inventory/Übersicht 100%25 a+b.json", b"{}" * 50, "application/json")]
        s3 = self.bucket.s3
        self.bucket.put(samples[:1])
        self.bucket.put(samples)
        s3.put_object(Bucket=BUCKET, Key=f"{SOURCE_PREFIX}inventory/", Body=b"")
        s3.put_object(Bucket=BUCKET, Key="elsewhere/a.json", Body=b"{}")
        s3.put_object(Bucket=BUCKET, Key=f"{SOURCE_PREFIX}inventory/gone.json", Body=b"{}")
        s3.delete_object(Bucket=BUCKET, Key=f"{SOURCE_PREFIX}inventory/gone.json")
        listed = s3.list_object_versions(Bucket=BUCKET, Prefix=f"{SOURCE_PREFIX}inventory/")
        listed["Versions"] += s3.list_object_versions(Bucket=BUCKET, Prefix="elsewhere/")["Versions"]
        rows = [inventories.row(BUCKET, found, latest=found["IsLatest"]) for found in listed["Versions"]]
        rows += [inventories.row(BUCKET, found, latest=found["IsLatest"], marker=True) for found in listed["DeleteMarkers"]]
        manifest = inventories.deliver(s3, BUCKET, rows, files=3)
        ended = self.start("inventory", "--inventory", manifest)
        s3.delete_object(Bucket=BUCKET, Key=f"{SOURCE_PREFIX}inventory/")
        job = ended[1]
        counted = (job.get("mode"), job.get("enqueued"), job.get("left_out")) == ("inventory", len(samples), 1)
        what = f"inventory: of {len(rows)} rows in 3 files the {len(samples)} current objects are enqueued, the folder marker is left out"
        self.claims.add(what, counted, job)
        self.claim_done("inventory", samples, ended)
        wrong = self.bucket.mistakes(samples)
        self.claims.add("inventory: outputs read back byte for byte", not wrong, wrong)

    def show_redriven(self) -> None:
        """A file of a report is damaged: the others are done, the job fails, and goes on when it is whole and somebody redrives.

        The local engine cannot redrive. In a copy of the state machine the state that fails is entered again at once, by an
        execution that counts one redrive more, as AWS would enter it.
        """
        samples = list(small_samples("redriven", 2 * REPORT_FILES))
        self.bucket.put(samples)
        s3 = self.bucket.s3
        versions = s3.list_object_versions(Bucket=BUCKET, Prefix=f"{SOURCE_PREFIX}redriven/")["Versions"]
        manifest = inventories.deliver(s3, BUCKET, [inventories.row(BUCKET, found) for found in versions], REPORT_FILES)
        damaged = {"Bucket": inventories.BUCKET, "Key": inventories.part(REPORT_FILES // 2)}
        body = s3.get_object(**damaged)["Body"].read()
        s3.put_object(**damaged, Body=body[::-1])
        job = {"job_id": "redriven", "poll_seconds": 20, "settle_seconds": 1200}
        execution = self.redriven(job | {"inventory": {"bucket": inventories.BUCKET, "key": manifest.split("/", 3)[3]}})
        began_again = self.wait(lambda: "BeginAgain" in self.entered(execution))
        record = self.job("redriven")
        others = (record.get("succeeded"), record.get("partitions_done")) == (len(samples) - 2, REPORT_FILES - 1)
        self.claims.add("redriven: one child failed, everything of the others is compressed", began_again and others, record)
        s3.put_object(**damaged, Body=body)
        self.wait(lambda: self.machines.describe_execution(executionArn=execution)["status"] != "RUNNING")
        status = self.machines.describe_execution(executionArn=execution)["status"]
        record = self.job("redriven")
        self.rows.append(("-", *report.job_row("redriven", record)))
        once = (status, record.get("enqueued")) == ("SUCCEEDED", len(samples))
        self.claims.add("redriven: the same execution goes on, and enqueues only what was missing", once, (status, record))
        self.claim_done("redriven", samples, (0, record, status))

    def redriven(self, payload: dict) -> str:
        """Starts an execution of such a copy; its ARN."""
        deployed = self.machines.describe_state_machine(stateMachineArn=self.deployment.outputs["BackfillArn"])
        machine = json.loads(deployed["definition"])
        failing = machine["States"]["RecordFailure"]
        entered_again = copy.deepcopy(failing)
        asked = entered_again["Parameters"]["Payload"]
        asked |= {"failed_at": 0, "redrives": 1}
        del asked["failed_at.$"], asked["redrives.$"]
        failing["Catch"] = [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "Redriven"}]
        machine["States"]["Redriven"] = entered_again
        made = {"name": f"{STACK}-redriven", "definition": json.dumps(machine), "roleArn": deployed["roleArn"]}
        arn = self.machines.create_state_machine(**made)["stateMachineArn"]
        return self.machines.start_execution(stateMachineArn=arn, input=json.dumps(payload))["executionArn"]

    def entered(self, execution: str) -> set[str]:
        """The states that it has been in."""
        pages = self.machines.get_paginator("get_execution_history").paginate(executionArn=execution)
        events = [event.get("stateEnteredEventDetails", {}) for page in pages for event in page["events"]]
        return {event.get("name") for event in events}


def _event(name: str) -> dict:
    return json.loads((ROOT / "events" / f"{name}.json").read_text())


def _kill_half(cloud: Cloud, function: str) -> int:
    """Ends every second process of the function on this cloud, as running out of memory does; how many."""
    of_cloud, of_function = f"HOME={cloud.folder}".encode(), f"AWS_LAMBDA_FUNCTION_NAME={function}".encode()
    found = []
    for process in Path("/proc").iterdir():
        try:
            environment = (process / "environ").read_bytes().split(b"\0") if process.name.isdigit() else []
        except OSError:
            continue
        if of_function in environment and of_cloud in environment:
            found.append(int(process.name))
    for pid in found[::2]:
        os.kill(pid, signal.SIGKILL)
    return len(found[::2])
