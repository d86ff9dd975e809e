"""Drives the state machine of purge over a tree of files and shows what happened; `demo.py` does the same for compress.

The local cloud mounts no file system. So after the deployment, as it is, the functions' roots are set to a folder here.
"""

import json
import os
import time
from pathlib import Path

import report
from cloud import Cloud
from deployment import STACK, Deployment, client

WAIT_SECONDS_MAX = 60
DAY_SECONDS = 86_400
DIRECTORIES = 60
FILES_PER_DIRECTORY = 10
OLD_DIRECTORIES = 8
OLD_FILES = 100
WORKERS = 4
# Age by the last write: the last change is the moment at which a sample was made, and nothing can set it back.
PLAN = {"action": "plan", "workers": WORKERS, "age_by": "mtime", "remove_empty_dirs": True}


def file_system(cloud: Cloud) -> dict[str, str]:
    """A file system, its access point, a subnet and a security group, as the template's parameters that name them."""
    ec2, efs = client(cloud, "ec2"), client(cloud, "efs")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/24")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/25")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="sluice", Description="NFS", VpcId=vpc)["GroupId"]
    volume = efs.create_file_system(CreationToken="sluice")["FileSystemId"]
    point = efs.create_access_point(ClientToken="sluice", FileSystemId=volume)["AccessPointArn"]
    named = {"FileSystemAccessPointArn": point, "EfsSubnetIds": subnet, "EfsSecurityGroupIds": group}
    return named | {"FileSystemId": volume}


class Tree:
    """Files below a folder: most of today, some that were last written two months ago."""

    def __init__(self, folder: Path):
        self.root = folder / "tree"
        self.beside = folder / "beside-the-tree.log"
        self.due: set[str] = set()

    def make(self) -> None:
        """Every directory holds young files but for the last ones, which hold old files alone and are old themselves."""
        for number in range(DIRECTORIES):
            directory = self.root / f"2026-{number % 12 + 1:02}" / f"batch-{number:03}"
            directory.mkdir(parents=True)
            for name in (f"{place:02}.json" for place in range(FILES_PER_DIRECTORY)):
                (directory / name).write_text(name)
            old = number >= DIRECTORIES - OLD_DIRECTORIES
            for file in list(directory.iterdir()):
                if old or (number < OLD_FILES - OLD_DIRECTORIES * FILES_PER_DIRECTORY and file.name == "00.json"):
                    _make_old(file)
                    self.due.add(str(file.relative_to(self.root)))
            if old:
                _make_old(directory)
        self.beside.write_text("old, and outside")
        _make_old(self.beside)
        (self.root / "link-out").symlink_to(self.beside)

    def files(self) -> set[str]:
        """What is there, links included, without what the function keeps for itself."""
        found = {str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_symlink() or path.is_file()}
        return {path for path in found if not path.startswith(".sluice/")}

    def directories(self) -> int:
        inside = (path for path in self.root.rglob("*") if path.is_dir() and not path.is_symlink())
        return sum(1 for path in inside if ".sluice" not in path.parts)


def _make_old(path: Path) -> None:
    then = time.time() - 60 * DAY_SECONDS
    os.utime(path, (then, then))


def point_at(deployment: Deployment, root: Path, **changes: str | None) -> None:
    """Sets the root of both functions, and other variables of purge; None takes one away."""
    functions = deployment.client("lambda")
    for output, variables in (
        ("CountFunctionName", {"COUNT_ROOT": str(root)}),
        ("PurgeFunctionName", {"PURGE_ROOT": str(root), **changes}),
    ):
        name = deployment.outputs[output]
        now = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        then = {variable: value for variable, value in (now | variables).items() if value is not None}
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": then})


class SweepDemo:
    """One run over one deployment."""

    def __init__(self, deployment: Deployment):
        self.deployment = deployment
        self.machines = deployment.client("stepfunctions")
        self.tree = Tree(deployment.cloud.folder)
        self.claims = report.Claims()
        self.rows: list[tuple[str, ...]] = []

    def run(self) -> bool:
        """Whether everything came true."""
        self.tree.make()
        self.show_schedule()
        point_at(self.deployment, self.tree.root)
        self.show_count()
        self.show_dry_run()
        point_at(self.deployment, self.tree.root, PURGE_DRY_RUN=None)  # from here on the payload decides
        self.show_refusal()
        self.show_sweep()
        report.print_sweeps(self.rows)
        self.claims.print()
        if not self.claims.all_true:
            report.print_function_log(self.deployment)
        return self.claims.all_true

    def execute(self, label: str, **payload: object) -> dict:
        """Runs the state machine to its end; a row of the table."""
        started = time.monotonic()
        arn = self.machines.start_execution(
            stateMachineArn=self.deployment.outputs["PurgeSweepArn"], input=json.dumps(PLAN | payload)
        )["executionArn"]
        while (ended := self.machines.describe_execution(executionArn=arn))["status"] == "RUNNING":
            if time.monotonic() - started > WAIT_SECONDS_MAX:
                ended["status"] = f"RUNNING for {WAIT_SECONDS_MAX} s"
                break
            time.sleep(0.1)
        ended["totals"] = json.loads(ended.get("output") or "{}")
        self.rows.append(report.sweep_row(label, ended, time.monotonic() - started))
        return ended

    def show_schedule(self) -> None:
        schedule = self.deployment.client("scheduler").get_schedule(Name=f"{STACK}-purge")
        asked = json.loads(schedule["Target"]["Input"])
        right = (schedule["State"], schedule["Target"]["Arn"], asked["action"]) == (
            "DISABLED",
            self.deployment.outputs["PurgeSweepArn"],
            "plan",
        )
        self.claims.add("the schedule is there, starts the state machine, and is off until somebody turns it on", right, schedule)

    def show_count(self) -> None:
        answer = self.deployment.client("lambda").invoke(FunctionName=self.deployment.outputs["CountFunctionName"])
        counted = json.loads(answer["Payload"].read())
        files = len(self.tree.files()) - 1  # the link is none
        right = (counted.get("files"), counted.get("symlinks"), counted.get("complete")) == (files, 1, True)
        self.claims.add(f"count finds {files} files and one link", right, counted)

    def show_dry_run(self) -> None:
        before = self.tree.files()
        ended = self.execute("as deployed: a dry run", dry_run=False)
        found = {name: ended["totals"].get(name) for name in ("status", "dry_run", "files_to_purge", "files_purged")}
        right = {"status": "complete", "dry_run": True, "files_to_purge": OLD_FILES, "files_purged": 0}
        self.claims.add(f"a dry run counts the {OLD_FILES} old files, over all ranges", found == right, ended)
        unchanged = self.tree.files() == before
        self.claims.add("nothing went, though the payload said dry_run false: the setting outranks it", unchanged)

    def show_refusal(self) -> None:
        before = self.tree.files()
        ended = self.execute("one file over its budget", dry_run=False, max_deletes=OLD_FILES - 1)
        refused = (ended["status"], ended.get("error")) == ("FAILED", "Purge.Refused")
        self.claims.add("a sweep over its budget fails as Purge.Refused, with the reason", refused and ended.get("cause"), ended)
        self.claims.add("nothing went", self.tree.files() == before, before ^ self.tree.files())

    def show_sweep(self) -> None:
        before, directories = self.tree.files(), self.tree.directories()
        scheduled = {"dry_run": False, "max_deletes": OLD_FILES, "time": "2026-11-21T03:00:00Z"}
        ended = self.execute("within its budget", **scheduled)
        gone = before - self.tree.files()
        self.claims.add("exactly the old files are gone", gone == self.tree.due, gone ^ self.tree.due)
        names = ("status", "files_scanned", "files_purged", "dirs_purged", "errors")
        found = tuple(ended["totals"].get(name) for name in names)
        right = ("complete", len(before) - 1, OLD_FILES, OLD_DIRECTORIES, 0)
        self.claims.add("the totals say so", found == right, ended)
        self.show_ranges(ended["executionArn"])
        removed = directories - self.tree.directories()
        self.claims.add("the directories that were old and became empty are gone", removed == OLD_DIRECTORIES, removed)
        self.claims.add("the link stayed, and so did the old file outside that it leads to", self.tree.beside.exists())
        again = self.execute("the same event again", **scheduled)
        known = (again["status"], again["totals"].get("status")) == ("SUCCEEDED", "refused")
        self.claims.add("the schedule's event, delivered twice, sweeps once", known, again)

    def show_ranges(self, execution: str) -> None:
        runs = self.machines.list_map_runs(executionArn=execution)["mapRuns"]
        counts = [self.machines.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"] for run in runs]
        shared = [run["total"] for run in counts if WORKERS <= run["total"] == run["succeeded"]]
        several = len(shared) == 2 and shared[0] == shared[1]
        self.claims.add(f"counted and swept in {max(shared, default=0)} ranges, each by an invocation of its own", several, counts)
