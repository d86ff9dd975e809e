"""Rules about what is kept: buckets, queues, tables, log groups."""

from collections.abc import Iterator
from typing import Any

from access import Violation, resource_statements
from stack import Stack, as_list, references

TIMEOUTS_PER_VISIBILITY = 6  # Source: Lambda developer guide, "Using Lambda with Amazon SQS"
RECEIVES_MAX = 10
EXPIRES_AT = "expires_at"
RETENTION_MAX_SECONDS = 1_209_600  # 14 days, the most that SQS takes
# A failed creation takes back what it made, or its fixed names would be in the way of the next attempt.
KEPT = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
LEASES = "sluice/monitor/"


def buckets_block_the_public(stack: Stack) -> Iterator[Violation]:
    """Every bucket blocks public access in all four ways."""
    for name, bucket in stack.of_type("AWS::S3::Bucket").items():
        block = stack.value(bucket.get("PublicAccessBlockConfiguration", {}))
        for key in ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"):
            if str(block.get(key)).lower() != "true":
                yield Violation(name, f"{key} is off", f"set PublicAccessBlockConfiguration.{key}: true")


def buckets_are_encrypted(stack: Stack) -> Iterator[Violation]:
    """Every bucket is encrypted by S3's own key, or by KmsKeyArn where that is given, then with a key of the bucket's."""
    own = {"SSEAlgorithm": "AES256", "KMSMasterKeyID": None}
    for name, bucket in stack.of_type("AWS::S3::Bucket").items():
        for key in ("", "arn:aws:kms:key"):
            wanted = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key} if key else own
            seen = stack.value(bucket.get("BucketEncryption", {}), {"KmsKeyArn": key})
            rules = seen.get("ServerSideEncryptionConfiguration", [])
            given = "with" if key else "without"
            if [rule.get("ServerSideEncryptionByDefault") for rule in rules] != [wanted]:
                yield Violation(name, f"{given} KmsKeyArn its default is {rules}", f"make it {wanted}")
            elif bool(rules[0].get("BucketKeyEnabled")) != bool(key):
                yield Violation(name, f"{given} KmsKeyArn, BucketKeyEnabled is not {bool(key)}", "correct it")


def buckets_keep_versions(stack: Stack) -> Iterator[Violation]:
    """Every bucket is versioned: what a mistake removes or replaces can be brought back."""
    for name, bucket in stack.of_type("AWS::S3::Bucket").items():
        if stack.value(bucket.get("VersioningConfiguration", {})).get("Status") != "Enabled":
            yield Violation(name, "it keeps no versions", "set VersioningConfiguration: { Status: Enabled }")


def buckets_abort_uploads(stack: Stack) -> Iterator[Violation]:
    """Every bucket forgets the parts of uploads that were not completed; they are invisible and billed."""
    for name, bucket in stack.of_type("AWS::S3::Bucket").items():
        if not any("AbortIncompleteMultipartUpload" in rule and not _prefix(rule) for rule in _lifecycle(stack, bucket)):
            yield Violation(name, "parts of interrupted uploads stay for ever", "add AbortIncompleteMultipartUpload")


def objects_expire_where_it_was_asked_for(stack: Stack) -> Iterator[Violation]:
    """Leases expire, sources by UnprocessedExpirationDays, and nothing else ever does."""
    for days, meant in ((0, [LEASES]), (30, [stack.parameters["SourcePrefix"]["Default"], LEASES])):
        for name, bucket in stack.of_type("AWS::S3::Bucket").items():
            rules = _lifecycle(stack, bucket, {"UnprocessedExpirationDays": days})
            dying = [rule for rule in rules if rule.get("ExpirationInDays") or rule.get("ExpirationDate")]
            found = [str(_prefix(rule) or "everything") for rule in dying]
            if sorted(found) != sorted(meant):
                what = f"with UnprocessedExpirationDays={days}, what expires is {', '.join(found)}"
                yield Violation(name, what, f"make it {', '.join(meant)}")
            wrong = [rule for rule in dying if _prefix(rule) != LEASES and rule.get("ExpirationInDays") != days]
            if wrong:
                yield Violation(name, f"sources do not expire after {days} days", "use UnprocessedExpirationDays")


def old_versions_are_forgotten_by_kind(stack: Stack) -> Iterator[Violation]:
    """Old versions go, with the markers they leave, after the days of their kind; of what the stack does not know, none does."""
    given = {"OldVersionDays": 2, "OldResultDays": 40}
    source, output = (stack.parameters[name]["Default"] for name in ("SourcePrefix", "OutputPrefix"))
    for name, bucket in stack.of_type("AWS::S3::Bucket").items():
        rules = _lifecycle(stack, bucket, given)
        found = {_prefix(rule): rule for rule in rules if rule.get("NoncurrentVersionExpiration")}
        days = {prefix: rule["NoncurrentVersionExpiration"].get("NoncurrentDays") for prefix, rule in found.items()}
        wanted = {source: given["OldVersionDays"], output: given["OldResultDays"], LEASES: 1}
        if days != wanted:
            yield Violation(name, f"with {given} old versions stay for {days} days", f"make it {wanted}")
        for prefix in (source, output):
            if str(found.get(prefix, {}).get("ExpiredObjectDeleteMarker")).lower() != "true":
                yield Violation(name, f"markers below {prefix} stay for ever", "set ExpiredObjectDeleteMarker: true")


def plain_http_is_refused(stack: Stack) -> Iterator[Violation]:
    """Buckets and queues refuse requests without TLS."""
    refusing: set[str] = set()
    for it in resource_statements(stack):
        policy = stack.resources[it.resource]["Properties"]
        secure = it.body.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
        everyone = it.body.get("Principal") in ("*", {"AWS": "*"})
        everything = any(action.endswith(":*") for action in it.actions)
        if not it.allows and everyone and everything and str(secure).lower() == "false":
            refusing |= set(references([policy.get("Bucket"), policy.get("Queues")]))
    for name in [*stack.of_type("AWS::S3::Bucket"), *stack.of_type("AWS::SQS::Queue")]:
        if name not in refusing:
            yield Violation(name, "it takes requests without TLS", "deny all where aws:SecureTransport is false")


def what_counts_is_retained(stack: Stack) -> Iterator[Violation]:
    """Buckets, file systems and dead-letter queues outlive the stack, unless it could not be made."""
    kept = [*stack.of_type("AWS::S3::Bucket"), *stack.of_type("AWS::EFS::FileSystem"), *_dead_letter_queues(stack)]
    for name in kept:
        for key, policy in KEPT.items():
            if stack.resources.get(name, {}).get(key) != policy:
                yield Violation(name, f"{key} is not {policy}", f"set {key}: {policy}")


def what_is_retained_stays_closed(stack: Stack) -> Iterator[Violation]:
    """The policy of what outlives the stack outlives it too: it goes on refusing requests without TLS."""
    for kind, key in (("AWS::S3::BucketPolicy", "Bucket"), ("AWS::SQS::QueuePolicy", "Queues")):
        for name, policy in stack.of_type(kind).items():
            kept = KEPT.items()
            for it in references(policy.get(key)):
                kept = [(which, wanted) for which, wanted in kept if stack.resources[it].get(which) == wanted]
            for which, wanted in kept:
                if stack.resources[name].get(which) != wanted:
                    yield Violation(name, f"what it is of stays, and it goes: {which}", f"set {which}: {wanted}")


def file_systems_are_encrypted(stack: Stack) -> Iterator[Violation]:
    """Every file system is encrypted, with a key of its own parameter if any, and backed up by default."""
    for name, system in stack.of_type("AWS::EFS::FileSystem").items():
        if str(system.get("Encrypted")).lower() != "true":
            yield Violation(name, "it is not encrypted", "set Encrypted: true")
        keys = [stack.value(system.get("KmsKeyId"), {name: "x"}) for name in ("NewFileSystemKeyArn", "KmsKeyArn")]
        if keys != ["x", None]:
            remedy = "let NewFileSystemKeyArn alone decide: another key is another file system"
            yield Violation(name, f"its key with NewFileSystemKeyArn, and with KmsKeyArn, is {keys}", remedy)
        if stack.value(system.get("BackupPolicy", {})).get("Status") != "ENABLED":
            yield Violation(name, "by default it is not backed up", "set BackupPolicy: { Status: ENABLED }")


def queues_are_encrypted(stack: Stack) -> Iterator[Violation]:
    """Every queue says how it encrypts."""
    for name, queue in stack.of_type("AWS::SQS::Queue").items():
        managed = str(stack.value(queue.get("SqsManagedSseEnabled"))).lower() == "true"
        if not managed and not stack.value(queue.get("KmsMasterKeyId")):
            yield Violation(name, "it is not encrypted", "set SqsManagedSseEnabled: true, or KmsMasterKeyId")


def queues_wait_for_their_function(stack: Stack) -> Iterator[Violation]:
    """A message stays invisible for six times the timeout of the function that reads its queue, whichever is chosen."""
    for queue, function in _sources(stack):
        timeout = stack.resources[function]["Properties"].get("Timeout")
        visibility = stack.resources[queue]["Properties"].get("VisibilityTimeout", 30)
        for given in stack.choices(timeout):
            try:
                wanted, actual = int(stack.value(timeout, given)) * TIMEOUTS_PER_VISIBILITY, stack.value(visibility, given)
            except (KeyError, TypeError):
                yield Violation(queue, f"its visibility timeout is not known for {given}", "add the value to the mapping")
                continue
            if int(actual) < wanted:
                what = f"visibility timeout {actual} is below six times {function}'s timeout"
                yield Violation(queue, what, f"make it at least {wanted}")


def queues_give_up_in_the_end(stack: Stack) -> Iterator[Violation]:
    """A queue that a function reads hands over to a dead-letter queue after ten tries, which keeps for 14 days."""
    for queue, _ in _sources(stack):
        redrive = stack.resources[queue]["Properties"].get("RedrivePolicy", {})
        target = next(references(redrive.get("deadLetterTargetArn")), None)
        if target not in stack.of_type("AWS::SQS::Queue"):
            yield Violation(queue, "it has no dead-letter queue", "set RedrivePolicy")
            continue
        if stack.value(redrive.get("maxReceiveCount")) != RECEIVES_MAX:
            yield Violation(queue, f"maxReceiveCount is {redrive.get('maxReceiveCount')}", f"make it {RECEIVES_MAX}")
        for name in (queue, target):
            if stack.resources[name]["Properties"].get("MessageRetentionPeriod") != RETENTION_MAX_SECONDS:
                yield Violation(name, "it keeps messages for less than 14 days", "set MessageRetentionPeriod: 1209600")


def tables_are_paid_by_use(stack: Stack) -> Iterator[Violation]:
    """Every table is paid for by what is read and written: between two backfills it costs nothing."""
    for name, table in stack.of_type("AWS::DynamoDB::Table").items():
        if stack.value(table.get("BillingMode")) != "PAY_PER_REQUEST":
            yield Violation(name, "it is paid for by the hour", "set BillingMode: PAY_PER_REQUEST")


def tables_forget(stack: Stack) -> Iterator[Violation]:
    """Every table removes its items in the end, by the attribute that our functions write."""
    for name, table in stack.of_type("AWS::DynamoDB::Table").items():
        forgets = stack.value(table.get("TimeToLiveSpecification", {}))
        if str(forgets.get("Enabled")).lower() != "true" or forgets.get("AttributeName") != EXPIRES_AT:
            remedy = f"set TimeToLiveSpecification: {{ AttributeName: {EXPIRES_AT}, Enabled: true }}"
            yield Violation(name, "its items stay for ever", remedy)


def tables_hold_no_key_of_their_own(stack: Stack) -> Iterator[Violation]:
    """Every table is encrypted with DynamoDB's key: with another one each of its readers would need the right to use it."""
    for name, table in stack.of_type("AWS::DynamoDB::Table").items():
        if stack.value(table.get("SSESpecification")):
            yield Violation(name, "no role here may use its key", "remove SSESpecification, or give the roles that right")


def logs_are_forgotten(stack: Stack) -> Iterator[Violation]:
    """Every log group says how long it keeps its lines."""
    for name, group in stack.of_type("AWS::Logs::LogGroup").items():
        if stack.value(group.get("RetentionInDays")) is None:
            yield Violation(name, "it keeps its lines for ever", "set RetentionInDays")


def _lifecycle(stack: Stack, bucket: dict[str, Any], given: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Rules that are in force with these parameters."""
    rules = stack.value(bucket.get("LifecycleConfiguration", {}), given).get("Rules", [])
    return [rule for rule in rules if rule and rule.get("Status") == "Enabled"]


def _prefix(rule: dict[str, Any]) -> Any:
    return rule.get("Prefix") or rule.get("Filter", {}).get("Prefix")


def _sources(stack: Stack) -> Iterator[tuple[str, str]]:
    """Queues with the functions that read them."""
    for mapping in stack.of_type("AWS::Lambda::EventSourceMapping").values():
        queue = next(references(mapping.get("EventSourceArn")), None)
        function = next(references(mapping.get("FunctionName")), None)
        if queue in stack.of_type("AWS::SQS::Queue") and function in stack.resources:
            yield queue, function


def _dead_letter_queues(stack: Stack) -> list[str]:
    """Queues that something is handed over to when it cannot be done."""
    queues = stack.of_type("AWS::SQS::Queue")
    found = [queue.get("RedrivePolicy", {}).get("deadLetterTargetArn") for queue in queues.values()]
    for schedule in stack.of_type("AWS::Scheduler::Schedule").values():
        found += as_list(schedule.get("Target", {}).get("DeadLetterConfig"))
    for rule in stack.of_type("AWS::Events::Rule").values():
        found += [target.get("DeadLetterConfig") for target in rule.get("Targets", [])]
    return sorted(set(references(found)) & queues.keys())


RULES = [
    buckets_block_the_public,
    buckets_are_encrypted,
    buckets_keep_versions,
    buckets_abort_uploads,
    objects_expire_where_it_was_asked_for,
    old_versions_are_forgotten_by_kind,
    plain_http_is_refused,
    what_counts_is_retained,
    what_is_retained_stays_closed,
    file_systems_are_encrypted,
    queues_are_encrypted,
    queues_wait_for_their_function,
    queues_give_up_in_the_end,
    tables_are_paid_by_use,
    tables_forget,
    tables_hold_no_key_of_their_own,
    logs_are_forgotten,
]
