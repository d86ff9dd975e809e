"""One set of settings: what the functions read, what the template gives them, what the README says of it.

The fourth place is `[package.metadata.lambda.deploy]` of each function, which `cargo lambda deploy` goes by.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import readme
import source
from mistake import Mistake
from stack import TEMPLATE, Stack, references

# Lambda sets what begins like this, and refuses to be told it.
RESERVED = "AWS_LAMBDA_"

# Variables that the template may set though no `Config` reads them, and who does.
READ_BY_OTHERS = {
    "MALLOC_MMAP_THRESHOLD_": "glibc",
    "MALLOC_TRIM_THRESHOLD_": "glibc",
}

# Variables that no parameter of the template leads to, and why.
NOT_IN_TEMPLATE = {
    "COOLDOWN_SECONDS": "the default suits every file system",
    "DEBUG": "for a run by hand; LogSampleRate=1 does the same for a stack",
    "ECS_CLUSTER_NAME": "the role has no right on a service it does not know, see the README",
    "ECS_SERVICE_NAME": "the role has no right on a service it does not know, see the README",
    "ENQUEUE_CONCURRENCY": "the queue takes as much; max_rate_per_second bounds a job",
    "MAX_MOUNT_TARGETS": "MonitorSubnetIds bounds it",
    "MIN_MOUNT_TARGETS": "one is the least that a mounted file system has",
    "OUTPUT_BUCKET": "the role covers the stack's bucket alone, see the README",
    "PURGE_MEMORY_LIMIT_MB": "the default follows PurgeMemoryMb",
    "SCALE_IN_COOLDOWN_SECONDS": "the default suits every file system",
    "VERIFY_CONCURRENCY": "the number of workers bounds a verification",
}


@dataclass(frozen=True)
class Project:
    """Everything that is compared."""

    root: Path
    stack: Stack
    readme: str

    @cached_property
    def common(self) -> dict[str, source.Variable]:
        """What every function reads."""
        return source.variables(self.root, source.COMMON)

    @cached_property
    def own(self) -> dict[str, dict[str, source.Variable]]:
        """What each function reads besides."""
        names = source.functions(self.root)
        return {name: source.variables(self.root, source.config_file(name)) for name in names}

    @property
    def functions(self) -> dict[str, str]:
        """Logical ids of the functions whose source is known."""
        return {name: resource for name, resource in self.stack.functions().items() if name in self.own}

    def known(self, function: str) -> dict[str, source.Variable]:
        return self.own[function] | self.common

    @cached_property
    def manifests(self) -> dict[str, dict[str, Any]]:
        """`[package.metadata.lambda.deploy]` by function."""
        found = {}
        for name in self.own:
            package = tomllib.loads((self.root / manifest(name)).read_text(encoding="utf-8"))["package"]
            found[name] = package.get("metadata", {}).get("lambda", {}).get("deploy", {})
        return found


def manifest(function: str) -> str:
    return f"functions/{function}/Cargo.toml"


def mistakes(project: Project) -> list[Mistake]:
    """Everything that does not agree."""
    checks = [set_variables, unset_variables, documented_settings, used_parameters, documented_parameters, alone]
    return [mistake for check in checks for mistake in check(project)]


def set_variables(project: Project) -> Iterator[Mistake]:
    """The template sets no variable that its function does not know."""
    functions = project.stack.functions()
    for missing in sorted(project.own.keys() - functions.keys()):
        yield Mistake(TEMPLATE, f"no function has the binary {missing}", "add one, with Metadata.BuildProperties.Binary")
    for function, resource in functions.items():
        if function not in project.own:
            yield Mistake(TEMPLATE, f"{resource} has no functions/{function}", "name the binary in its Metadata")
            continue
        for name in project.stack.variables(resource):
            if name.startswith(RESERVED):
                yield Mistake(TEMPLATE, f"{resource} sets {name}", "leave it out: Lambda sets it itself")
            elif name not in project.known(function).keys() | READ_BY_OTHERS:
                remedy = f"remove it, or read it in {source.config_file(function)}"
                yield Mistake(TEMPLATE, f"{resource} sets {name}, which {function} does not know", remedy)


def unset_variables(project: Project) -> Iterator[Mistake]:
    """What a function can be told, the template tells it, or there is a reason."""
    ever_unset = set()
    for function, resource in project.functions.items():
        unset = project.known(function).keys() - project.stack.variables(resource).keys()
        ever_unset |= unset
        for name in sorted(unset):
            if project.known(function)[name].required:
                yield Mistake(TEMPLATE, f"{resource} lacks {name}, without which it does not start", "set it")
            elif name not in NOT_IN_TEMPLATE and not name.startswith(RESERVED):
                remedy = "set it from a parameter, or say why not in NOT_IN_TEMPLATE"
                yield Mistake(TEMPLATE, f"{resource} cannot be told {name}", remedy)
    for name in sorted(NOT_IN_TEMPLATE.keys() - ever_unset):
        yield Mistake("tests/template/settings.py", f"NOT_IN_TEMPLATE has {name}, which is set", "remove the row")


def documented_settings(project: Project) -> Iterator[Mistake]:
    """The tables of the README have each setting, no other, and its default."""
    for title, variables in [(readme.COMMON, project.common), *project.own.items()]:
        rows = readme.settings(project.readme, title)
        for name in sorted(variables.keys() - rows.keys()):
            if not name.startswith(RESERVED):
                yield Mistake(readme.FILE, f"section {title!r} does not have {name}", "add a row to its table")
        for name, row in rows.items():
            if name not in variables:
                yield Mistake(readme.FILE, f"section {title!r} has {name}, which nothing reads", "remove it")
            else:
                yield from _default(title, row, variables[name])
                yield from _default_in_template(project, row)


def _default(title: str, row: readme.Documented, variable: source.Variable) -> Iterator[Mistake]:
    where = f"section {title!r}: {row.name}"
    if variable.required != (row.default == "required"):
        said = "required" if variable.required else "not required"
        yield Mistake(readme.FILE, f"{where} has the default {row.default!r}, but is {said}", "correct the row")
    elif variable.default and row.literal is not None and not _same(row.literal, variable.default):
        remedy = "correct the one that is wrong"
        yield Mistake(readme.FILE, f"{where} has the default {row.literal}, the code has {variable.default}", remedy)


def _default_in_template(project: Project, row: readme.Documented) -> Iterator[Mistake]:
    for resource in project.stack.functions().values() if row.in_template else []:
        actual = project.stack.value(project.stack.variables(resource).get(row.name))
        if not _same(row.in_template, actual):
            what = f"{row.name} is said to be {row.in_template} in the template, {resource} sets {actual}"
            yield Mistake(readme.FILE, what, "correct the row")


def used_parameters(project: Project) -> Iterator[Mistake]:
    """Every parameter changes something."""
    template = project.stack.template
    used = set(references([template.get(part, {}) for part in ("Conditions", "Resources", "Outputs")]))
    for name in project.stack.parameters:
        if name not in used:
            yield Mistake(TEMPLATE, f"nothing uses the parameter {name}", "remove it, or use it")


def documented_parameters(project: Project) -> Iterator[Mistake]:
    """The tables of the README have each parameter, no other, and its default."""
    rows = readme.parameters(project.readme)
    for name in sorted(project.stack.parameters.keys() - rows.keys()):
        yield Mistake(readme.FILE, f"no table has the parameter {name}", "add a row to a table of parameters")
    for name, row in rows.items():
        if name not in project.stack.parameters:
            yield Mistake(readme.FILE, f"a table has {name}, which is no parameter", "remove it")
            continue
        default = project.stack.parameters[name].get("Default")
        if "[setting]" in row.default:
            yield from _setting_default(project, name, default)
        said = "" if row.default == "none" else row.literal
        if said is not None and not _same(said, default):
            what = f"the parameter {name} has the default {row.default}, {TEMPLATE} has {default!r}"
            yield Mistake(readme.FILE, what, "correct the one that is wrong")


def _setting_default(project: Project, parameter: str, default: Any) -> Iterator[Mistake]:
    """A parameter whose default is said to be that of the setting it leads to."""
    found = False
    for function, resource in project.functions.items():
        for name, value in project.stack.variables(resource).items():
            if parameter not in references(value) or name not in project.known(function):
                continue
            found = True
            own = project.known(function)[name].default or ""
            if not _same(own, default):
                what = f"the parameter {parameter} is said to have the default of {name}, {own!r}, but has {default!r}"
                yield Mistake(readme.FILE, what, "give it a row of its own, or correct the template")
    if not found:
        yield Mistake(readme.FILE, f"{parameter} is said to have a setting's default, but leads to none", "name a value")


def alone(project: Project) -> Iterator[Mistake]:
    """`cargo lambda deploy` makes a function like the template's with its defaults."""
    for function, resource in project.functions.items():
        deploy = project.manifests[function]
        properties = project.stack.resources[resource]["Properties"]
        tracing = (project.stack.value(properties.get("TracingConfig")) or {}).get("Mode", "PassThrough")
        wanted = {"memory": properties.get("MemorySize"), "timeout": properties.get("Timeout"), "tracing": tracing}
        for key, node in wanted.items():
            if not _same(deploy.get(key), project.stack.value(node)):
                what = f"deploy.{key} is {deploy.get(key)}, the template's default is {project.stack.value(node)}"
                yield Mistake(manifest(function), what, "make them equal")
        if not deploy.get("merge_env"):
            what = "deploy.merge_env is not true, so a second deployment would remove the variables set by hand"
            yield Mistake(manifest(function), what, "set it")
        for name, value in deploy.get("env", {}).items():
            yield from _manifest_variable(project, function, name, value)


def _manifest_variable(project: Project, function: str, name: str, value: str) -> Iterator[Mistake]:
    file = manifest(function)
    if name not in project.known(function).keys() | READ_BY_OTHERS or name.startswith(RESERVED):
        yield Mistake(file, f"deploy.env has {name}, which {function} does not know", "remove it")
        return
    there = project.stack.value(project.stack.variables(project.functions[function]).get(name))
    if not isinstance(there, dict) and not _same(value, there):
        yield Mistake(file, f"deploy.env has {name}={value}, the template's default is {there}", "make them equal")


def _same(left: Any, right: Any) -> bool:
    """Whether two spellings mean one value: case and a number's notation do not count."""
    left, right = ("" if it is None else str(it).lower() for it in (left, right))
    try:
        return float(left) == float(right)
    except ValueError:
        return left == right
