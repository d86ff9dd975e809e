"""Deploys the template as it is, by variants, and asks the services whether the stack is what it was to be.

Of each variant: deployed, compared value by value; then other parameters, and nothing else may have changed; then deleted,
and only what is to be kept is still there. Of a first deployment that fails nothing is.
"""

import time

import expected
import report
from cloud import Cloud
from deployment import STACK, DeploymentError, client, delete, deploy_alone
from given import DEFAULTS, Given
from losses import LOST, REFUSED, Loss, taken_now
from observed import Fields, Stack
from variants import VARIANTS, Variant

KEPT = ("Bucket", "CompressDlq", "ScheduleDlq", "FileSystem")
WAIT_SECONDS_MAX = 30


class DeployedTest:
    """All variants, one after the other, on one cloud."""

    def __init__(self, cloud: Cloud, architecture: str):
        self.cloud = cloud
        self.architecture = architecture
        self.claims = report.Claims()
        self.lost: set[tuple[str, str]] = set()

    def run(self) -> bool:
        """Whether everything came true."""
        for variant in VARIANTS:
            self.show(variant)
        self.show_failure()
        self.show_losses()
        self.claims.print("Deployed, changed and deleted, as the services say")
        return self.claims.all_true

    def show(self, variant: Variant) -> None:
        """The life of one stack."""
        asked = {"Architecture": self.architecture} | variant.surroundings(self.cloud)
        stack = self.deploy(variant, asked)
        wanted = self.show_stack(f"{variant.label}:", stack, asked)
        if variant.changes:
            asked |= variant.changes
            changed = self.deploy(variant, asked)
            wanted_then = self.show_stack(f"{variant.label}, changed:", changed, asked)
            self.show_change(variant, (stack, changed), (wanted, wanted_then))
            stack = changed
        if asked.get("ExistingBucketName"):
            self.show_events(variant, asked["ExistingBucketName"], stack.ids["CompressQueue"])
        self.show_deletion(variant, stack)

    def deploy(self, variant: Variant, asked: dict[str, str]) -> Stack:
        deploy_alone(self.cloud, variant.stack, asked)
        return Stack(self.cloud, variant.stack)

    def show_stack(self, label: str, stack: Stack, asked: dict[str, str]) -> dict[str, Fields]:
        """Compares all of it; what it was to be."""
        parameters = DEFAULTS | asked
        strange = _unequal(parameters, stack.parameters)
        self.claims.add(f"{label} its parameters are these and the defaults", not strange, strange)
        given = Given(stack.name, parameters, stack.ids)
        wanted = expected.resources(given)
        strange = wanted.keys() ^ stack.types.keys()
        self.claims.add(f"{label} {len(wanted)} resources, no other", not strange, strange)
        self.show_values(label, stack, wanted)
        outputs = expected.outputs(given)
        strange = _unequal(outputs, stack.outputs)
        self.claims.add(f"{label} {len(outputs)} outputs, with the names of what is there", not strange, strange)
        dangling = stack.named_arns() - stack.own_arns() - _outside(given)
        self.claims.add(f"{label} every ARN that is named anywhere is that of something", not dangling, dangling)
        return wanted

    def show_values(self, label: str, stack: Stack, wanted: dict[str, Fields]) -> None:
        """Every field that is named in `expected.py`."""
        compared, wrong = 0, []
        for name in wanted.keys() & stack.types.keys():
            for field, value in wanted[name].items():
                seen = stack.fields[name].get(field)
                compared += 1
                if loss := LOST.get((stack.types[name], field)):
                    compared -= 1
                    wrong += self.look_at_loss((stack.types[name], field), loss, value, seen)
                elif seen != value:
                    wrong += _unequal(value, seen, f"{name}.{field}")
        self.claims.add(f"{label} {compared} values of them are right", not wrong, wrong)

    def look_at_loss(self, place: tuple[str, str], loss: Loss, wanted: object, seen: object) -> list[str]:
        """What is wrong with the list of losses; where nothing else was wanted than is there anyway, nothing can be said."""
        instead = loss.instead(wanted) if wanted else wanted
        if wanted == instead:
            return [] if seen == wanted else [f"{place}: {seen!r}, not {wanted!r}"]
        self.lost.add(place)
        if seen == wanted:
            return [f"{place} is kept now: strike it from losses.py"]
        return [] if seen == instead else [f"{place}: neither {wanted!r} nor what losses.py says, but {seen!r}"]

    def show_change(self, variant: Variant, looks: tuple[Stack, Stack], wanted: tuple[dict, dict]) -> None:
        """What was to change did (`show_stack` compares the values), and nothing else, wanted or not, is other than it was."""
        changed = _changes(*(look.fields for look in looks))
        types = looks[0].types | looks[1].types
        meant = {(name, field) for name, field in _changes(*wanted) if (types[name], field) not in LOST}
        follows = {(name, "Documents") for name, field in meant if field == "Statements"}
        sentence = f"{variant.label}, changed: {len(meant)} fields are other than before, and none besides"
        self.claims.add(sentence, changed - follows == meant, (changed - follows) ^ meant)

    def show_events(self, variant: Variant, bucket: str, queue: str) -> None:
        """EventBridge, queue, function: an object of the folder is compressed and kept, another is left alone."""
        s3 = self.client("s3")
        for key in ("incoming/report.json", "elsewhere/report.json"):
            s3.put_object(Bucket=bucket, Key=key, Body=b'{"number": 1}' * 1000)
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while time.monotonic() < deadline:
            keys = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]]
            came = [key for key in keys if key.startswith("processed/") and key.endswith("/report.json.zip")]
            if came and not self.waiting(queue):
                break
            time.sleep(0.1)
        right = sorted(keys) == sorted(["elsewhere/report.json", "incoming/report.json", *came]) and len(came) == 1
        self.claims.add(f"{variant.label}: an object went by EventBridge to the queue, was compressed, and is kept", right, keys)
        tells = s3.get_bucket_notification_configuration(Bucket=bucket)
        del tells["ResponseMetadata"]
        self.claims.add(f"{variant.label}: the bucket's own settings are as before", tells == {"EventBridgeConfiguration": {}}, tells)

    def waiting(self, queue: str) -> int:
        """Messages in it, or at work: a source that goes has gone when there is none."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def show_deletion(self, variant: Variant, stack: Stack) -> None:
        """What may be the only copy of something is kept."""
        s3, sqs, dlq = self.client("s3"), self.client("sqs"), stack.ids["CompressDlq"]
        bucket = stack.outputs["BucketName"]
        s3.put_object(Bucket=bucket, Key="kept", Body=b"kept")
        sqs.send_message(QueueUrl=dlq, MessageBody="kept")
        delete(self.cloud, variant.stack)
        left = {name for name in stack.ids if stack.is_there(name)}
        kept = {name for name in KEPT if name in stack.ids}
        sentence = f"{variant.label}, deleted: {', '.join(sorted(kept))} are still there, and nothing besides"
        self.claims.add(sentence, left == kept, left ^ kept)
        if left >= kept:
            self.show_kept_policies(variant, stack)
            found = [message["Body"] for message in sqs.receive_message(QueueUrl=dlq).get("Messages", [])]
            found.append(s3.get_object(Bucket=bucket, Key="kept")["Body"].read().decode())
            self.claims.add(f"{variant.label}, deleted: so is what was in bucket and queue", found == ["kept", "kept"], found)

    def show_kept_policies(self, variant: Variant, stack: Stack) -> None:
        """Of buckets and queues: a file system's policy is a part of itself."""
        sids = {name: [it["Sid"] for it in stack.policy(name)] for name in ("Bucket", "CompressDlq", "ScheduleDlq") if name in stack.ids}
        open_now = {name: found for name, found in sids.items() if "DenyPlainHttp" not in found}
        self.claims.add(f"{variant.label}, deleted: {', '.join(sids)} still refuse plain HTTP", not open_now, open_now)

    def client(self, service: str):
        return client(self.cloud, service)

    def show_failure(self) -> None:
        """What a first deployment had made before it failed is not in the way of the next, with its fixed names."""
        name, nowhere = f"{STACK}-fails", {"VpcId": "vpc-00000000", "EfsSubnetIds": "subnet-00000000,subnet-11111111"}
        try:
            deploy_alone(self.cloud, name, {"Architecture": self.architecture, "NewFileSystem": "true"} | nowhere)
        except DeploymentError as error:
            pages = self.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=name)
            events = [event for page in pages for event in page["StackEvents"]]
            made = {e["LogicalResourceId"] for e in events if e["ResourceStatus"] == "CREATE_COMPLETE"} & set(KEPT)
            left = [bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"] if bucket["Name"].startswith(name)]
            left += self.client("sqs").list_queues(QueueNamePrefix=name).get("QueueUrls", [])
            systems = self.client("efs").describe_file_systems()["FileSystems"]
            left += [system["FileSystemId"] for system in systems if system.get("Name") == name]
            right = made >= {"Bucket", "CompressDlq", "FileSystem"} and not left
            self.claims.add("a first deployment that fails takes back what it has made", right, left or (made, error))
        else:
            self.claims.add("a first deployment into subnets that are not there fails", False, nowhere)

    def show_losses(self) -> None:
        """Printed, and still true."""
        unseen = LOST.keys() - self.lost
        self.claims.add("each field of losses.py was wanted somewhere, and is lost", not unseen, unseen)
        taken = taken_now(self.cloud)
        self.claims.add("each type that losses.py says is refused, is", not taken, taken)
        print("\nNot compared, since MiniStack 1.5.33 does not keep it")
        for (kind, field), loss in LOST.items():
            print(f"  {kind}.{field}: {loss.reason}")
        for kind, parameter in REFUSED.items():
            print(f"  {kind}: refused, so {parameter} is not deployed")


def _unequal(wanted: object, seen: object, where: str = "") -> list[str]:
    """The places in which the two differ."""
    if isinstance(wanted, dict) and isinstance(seen, dict):
        names = sorted(wanted.keys() | seen.keys())
        return [line for name in names for line in _unequal(wanted.get(name), seen.get(name), f"{where}.{name}".lstrip("."))]
    if isinstance(wanted, list) and isinstance(seen, list) and len(wanted) == len(seen):
        pairs = enumerate(zip(wanted, seen, strict=True))
        return [line for place, pair in pairs for line in _unequal(*pair, f"{where}[{place}]")]
    return [] if wanted == seen else [f"{where}: {seen!r}, not {wanted!r}"]


def _changes(before: dict[str, Fields], after: dict[str, Fields]) -> set[tuple[str, str]]:
    """Resource and field; of a resource that came or went, no field."""
    found = {(name, "") for name in before.keys() ^ after.keys()}
    for name in before.keys() & after.keys():
        fields = before[name].keys() | after[name].keys()
        found |= {(name, field) for field in fields if before[name].get(field) != after[name].get(field)}
    return found


def _outside(given: Given) -> set[str]:
    """ARNs of what was there before the stack."""
    file_system = given.arn("elasticfilesystem", f"file-system/{given['FileSystemId']}")
    bucket = f"arn:aws:s3:::{given['ExistingBucketName']}"
    return {file_system, bucket, *(value for value in given.parameters.values() if value.startswith("arn:"))}
