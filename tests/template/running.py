"""Rules about what runs: functions, what starts them, and who is told when they fail."""

from collections.abc import Iterator
from typing import Any

from access import Violation, identity_statements
from stack import Stack, as_list, references

# Where each function belongs: a file system is reached from within its VPC, AWS's services without one.
IN_A_VPC = {"backfill": False, "compress": False, "count": True, "monitor": False, "purge": True}
SHARED_WITH_COMPRESS = ("COMPRESSION_FORMAT", "JOBS_TABLE", "OUTPUT_PREFIX", "SOURCE_BUCKET", "SOURCE_DISPOSITION", "SOURCE_PREFIX")


def functions_are_explicit(stack: Stack) -> Iterator[Violation]:
    """Every function says its role, timeout, memory and log group; what is left out is a default of AWS."""
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        for key in ("Role", "Timeout", "MemorySize"):
            if stack.value(function.get(key)) is None:
                yield Violation(name, f"{key} is not set", f"set {key}")
        group = next(references(function.get("LoggingConfig", {}).get("LogGroup")), None)
        if group not in stack.of_type("AWS::Logs::LogGroup"):
            yield Violation(name, "its log group is not one of this template", "set LoggingConfig.LogGroup: !Ref <group>")


def functions_are_arm64(stack: Stack) -> Iterator[Violation]:
    """Every function runs on arm64 by default, which costs a fifth less."""
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        if stack.value(function.get("Architectures")) != ["arm64"]:
            yield Violation(name, "its default processor is not arm64", "set Architectures: [!Ref Architecture]")


def functions_are_where_they_belong(stack: Stack) -> Iterator[Violation]:
    """count and purge are in a VPC with their file system, the others in none."""
    for function, name in stack.functions().items():
        properties = stack.resources[name]["Properties"]
        inside = bool(properties.get("VpcConfig"))
        if function not in IN_A_VPC:
            yield Violation(name, "where it belongs is not known", "add it to IN_A_VPC in tests/template/running.py")
        elif inside != IN_A_VPC[function]:
            remedy = "remove VpcConfig" if inside else "set VpcConfig"
            yield Violation(name, f"it is {'' if inside else 'not '}in a VPC", remedy)
        if IN_A_VPC.get(function) and not properties.get("FileSystemConfigs"):
            yield Violation(name, "it mounts no file system", "set FileSystemConfigs")


def functions_reserve_by_their_parameter(stack: Stack) -> Iterator[Violation]:
    """What a function reserves is what its own parameter says, and with 0, or without one, nothing."""
    for function, name in stack.functions().items():
        parameter = f"{function.capitalize()}ReservedConcurrency"
        reserved = stack.resources[name]["Properties"].get("ReservedConcurrentExecutions")
        seen = [stack.value(reserved, {parameter: number}) for number in (0, 7)]
        if seen != ([None, 7] if parameter in stack.parameters else [None, None]):
            remedy = f"take it from {parameter}, !Ref AWS::NoValue for 0"
            yield Violation(name, f"with {parameter}=0 and 7 it reserves {seen}", remedy)


def machines_write_down_their_failures(stack: Stack) -> Iterator[Violation]:
    """Every state machine logs what failed to a group of its own, without what it was given."""
    for name, machine in stack.of_type("AWS::StepFunctions::StateMachine").items():
        logging = machine.get("LoggingConfiguration", {})
        groups = set(references(logging.get("Destinations", []))) & stack.of_type("AWS::Logs::LogGroup").keys()
        if logging.get("Level") not in ("ERROR", "ALL") or not groups:
            yield Violation(name, "nobody can read why it failed", "set Logging with a level and a group of this template")
        if str(logging.get("IncludeExecutionData")).lower() != "false":
            yield Violation(name, "its log has what it was given, and inputs name paths", "set IncludeExecutionData: false")


def batches_report_their_failures(stack: Stack) -> Iterator[Violation]:
    """One failed message does not bring back those it came with, and the number of invocations has a bound."""
    for name, mapping in stack.of_type("AWS::Lambda::EventSourceMapping").items():
        if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", []):
            remedy = "set FunctionResponseTypes: [ReportBatchItemFailures]"
            yield Violation(name, "a failed message brings back its batch", remedy)
        if not mapping.get("ScalingConfig", {}).get("MaximumConcurrency"):
            yield Violation(name, "its concurrency has no bound", "set ScalingConfig.MaximumConcurrency")


def purge_is_harmless_at_first(stack: Stack) -> Iterator[Violation]:
    """As deployed, purge removes nothing, no schedule starts it, and a minimum age and a budget are set."""
    purge = stack.functions().get("purge")
    if purge is None:
        return
    values = {name: stack.value(value) for name, value in stack.variables(purge).items()}
    if values.get("PURGE_DRY_RUN") != "true":
        yield Violation(purge, "it removes files as deployed", 'make the default of PURGE_DRY_RUN "true"')
    if not float(values.get("PURGE_MIN_AGE_DAYS") or 0) > 0:
        yield Violation(purge, "a payload may ask for files of any age", "make PURGE_MIN_AGE_DAYS at least 1")
    if not float(values.get("PURGE_MAX_DELETE_FRACTION") or 1) < 1:
        yield Violation(purge, "a sweep may remove everything", "make PURGE_MAX_DELETE_FRACTION less than 1")
    for name, schedule in stack.of_type("AWS::Scheduler::Schedule").items():
        starts = {purge, *stack.of_type("AWS::StepFunctions::StateMachine")}
        target = set(references(schedule.get("Target", {}).get("Arn")))
        if target & starts and stack.value(schedule.get("State")) != "DISABLED":
            yield Violation(name, "it starts purge as deployed", "make the default of its State DISABLED")


def backfills_look_for_what_compress_makes(stack: Stack) -> Iterator[Violation]:
    """backfill is told of the same bucket, folders, format, disposition, queue and table as compress, or it verifies in vain."""
    functions = stack.functions()
    if not {"backfill", "compress"} <= functions.keys():
        return
    backfill, compress = (stack.variables(functions[name]) for name in ("backfill", "compress"))
    for variable in SHARED_WITH_COMPRESS:
        if backfill.get(variable) != compress.get(variable):
            yield Violation(functions["backfill"], f"its {variable} is not that of compress", "set both from one parameter")
    sources = [it.get("EventSourceArn") for it in stack.of_type("AWS::Lambda::EventSourceMapping").values()]
    if not set(references(backfill.get("QUEUE_URL"))) & set(references(sources)):
        yield Violation(functions["backfill"], "nobody takes what it sends from QUEUE_URL", "name the queue of compress")


def maps_may_start_their_children(stack: Stack) -> Iterator[Violation]:
    """A machine with a distributed map may start executions of itself, by the name that it has."""
    for name, machine in stack.of_type("AWS::StepFunctions::StateMachine").items():
        if not _has_distributed_map(machine.get("Definition", {})):
            continue
        role = next(references(machine.get("RoleArn")), None)
        starts = [it for it in identity_statements(stack) if it.resource == role and "states:StartExecution" in it.actions]
        own = str(machine.get("StateMachineName", {}).get("Fn::Sub"))
        resources = [str(it.get("Fn::Sub")) for statement in starts for it in as_list(statement.body["Resource"])]
        if not any(it.endswith(f":stateMachine:{own}") for it in resources):
            yield Violation(name, f"{role} may not start executions of {own}", "allow states:StartExecution on it")


def _has_distributed_map(machine: dict[str, Any]) -> bool:
    processors = [state.get("ItemProcessor", {}) for state in machine.get("States", {}).values()]
    return any(it.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED" for it in processors)


def schedules_are_bounded(stack: Stack) -> Iterator[Violation]:
    """Every schedule and rule says how often it tries again and for how long, a schedule also in which window."""
    for name, target in _targets(stack):
        for key in ("MaximumRetryAttempts", "MaximumEventAgeInSeconds"):
            if key not in target.get("RetryPolicy", {}):
                yield Violation(name, f"{key} is not set: 185 times in 24 hours", f"set RetryPolicy.{key} of its target")
    for name, schedule in stack.of_type("AWS::Scheduler::Schedule").items():
        if not stack.value(schedule.get("FlexibleTimeWindow", {})).get("Mode"):
            yield Violation(name, "it does not say its window", "set FlexibleTimeWindow")
        if "cron" in str(stack.value(schedule["ScheduleExpression"])) and "ScheduleExpressionTimezone" not in schedule:
            yield Violation(name, "it does not say its time zone", "set ScheduleExpressionTimezone")


def lost_starts_are_kept(stack: Stack) -> Iterator[Violation]:
    """What a schedule or a rule could not hand over is kept in a queue."""
    for name, target in _targets(stack):
        if not target.get("DeadLetterConfig"):
            yield Violation(name, "what it cannot hand over is lost", "set DeadLetterConfig of its target")


def alarms_are_explicit(stack: Stack) -> Iterator[Violation]:
    """Every alarm says what missing data means, and whom it tells, also that it is over; its text says what to do."""
    for name, alarm in stack.of_type("AWS::CloudWatch::Alarm").items():
        for key in ("TreatMissingData", "AlarmActions", "AlarmDescription"):
            if key not in alarm:
                yield Violation(name, f"{key} is not set", f"set {key}")
        if alarm.get("OKActions") != alarm.get("AlarmActions"):
            yield Violation(name, "who is told that it rings is not told that it is over", "make OKActions equal to AlarmActions")


def parameters_are_presented(stack: Stack) -> Iterator[Violation]:
    """Every parameter is in one group of the console's form, with a label and a description, and says what it accepts."""
    interface = stack.template.get("Metadata", {}).get("AWS::CloudFormation::Interface", {})
    grouped = [name for group in interface.get("ParameterGroups", []) for name in group["Parameters"]]
    labels = interface.get("ParameterLabels", {})
    for name, parameter in stack.parameters.items():
        if grouped.count(name) != 1:
            yield Violation(name, f"it is in {grouped.count(name)} groups", "list it in one of ParameterGroups")
        if name not in labels:
            yield Violation(name, "it has no label", "add it to ParameterLabels")
        if not parameter.get("Description"):
            yield Violation(name, "nobody can read what it is for", "set Description")
        if "AllowedPattern" in parameter and "ConstraintDescription" not in parameter:
            yield Violation(name, "a wrong value would be answered with its pattern", "set ConstraintDescription")
    for name in sorted({*grouped, *labels} - stack.parameters.keys()):
        yield Violation(name, "the form has it, but it is no parameter", "remove it from the Interface metadata")


def _targets(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    """What schedules and rules hand over to."""
    for name, schedule in stack.of_type("AWS::Scheduler::Schedule").items():
        yield name, schedule.get("Target", {})
    for name, rule in stack.of_type("AWS::Events::Rule").items():
        yield from ((name, target) for target in rule.get("Targets", []))


RULES = [
    functions_are_explicit,
    functions_are_arm64,
    functions_are_where_they_belong,
    functions_reserve_by_their_parameter,
    machines_write_down_their_failures,
    batches_report_their_failures,
    purge_is_harmless_at_first,
    backfills_look_for_what_compress_makes,
    maps_may_start_their_children,
    schedules_are_bounded,
    lost_starts_are_kept,
    alarms_are_explicit,
    parameters_are_presented,
]
