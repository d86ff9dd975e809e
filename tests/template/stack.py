"""The transformed template, and what its functions of parameters come to."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TEMPLATE = "template.yaml"
NO_VALUE = {"Ref": "AWS::NoValue"}


def statements(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The statements of a policy, also those that stand there only under a condition."""
    todo = list(as_list(document["Statement"]))
    while todo:
        body = todo.pop(0)
        if "Fn::If" in body:
            todo = [branch for branch in body["Fn::If"][1:] if branch != NO_VALUE] + todo
        else:
            yield body


class Stack:
    """A template after SAM's transform. Names of parameters that are given no value stand for their defaults."""

    def __init__(self, template: dict[str, Any]) -> None:
        self.template = template
        self.resources: dict[str, dict] = template["Resources"]
        self.parameters: dict[str, dict] = template["Parameters"]

    @classmethod
    def read(cls, path: Path) -> "Stack":
        return cls(json.loads(path.read_text(encoding="utf-8")))

    def of_type(self, kind: str) -> dict[str, dict]:
        """Properties of the resources of one type, by logical id."""
        return {name: it.get("Properties", {}) for name, it in self.resources.items() if it["Type"] == kind}

    def functions(self) -> dict[str, str]:
        """Logical ids of the functions, by the name of their binary, which is that of their folder."""
        found = {}
        for name, resource in self.resources.items():
            if resource["Type"] == "AWS::Lambda::Function":
                build = resource.get("Metadata", {}).get("BuildProperties", {})
                found[build.get("Binary", name)] = name
        return found

    def variables(self, function: str) -> dict[str, Any]:
        """The environment of the function with this logical id, as it stands in the template."""
        return self.resources[function]["Properties"].get("Environment", {}).get("Variables", {})

    def value(self, node: Any, given: dict[str, Any] | None = None) -> Any:
        """What `node` comes to; `None` for no value; a node that only a deployment can resolve stays as it is."""
        if isinstance(node, list):
            return [self.value(item, given) for item in node]
        if not isinstance(node, dict):
            return node
        if node == NO_VALUE:
            return None
        match list(node.items()):
            case [("Ref", name)] if name in self.parameters:
                return (given or {}).get(name, self.parameters[name].get("Default"))
            case [("Fn::If", [condition, then, otherwise])]:
                return self.value(then if self.holds({"Condition": condition}, given) else otherwise, given)
            case [("Fn::FindInMap", [table, row, column])]:
                return self.template["Mappings"][table][str(self.value(row, given))][column]
        return {key: self.value(item, given) for key, item in node.items()}

    def holds(self, condition: Any, given: dict[str, Any] | None = None) -> bool:
        """Whether a condition is true; one of the pseudo parameters is not."""
        match list(condition.items()):
            case [("Condition", name)]:
                return self.holds(self.template["Conditions"][name], given)
            case [("Fn::Not", [inner])]:
                return not self.holds(inner, given)
            case [("Fn::And", all_of)]:
                return all(self.holds(one, given) for one in all_of)
            case [("Fn::Or", any_of)]:
                return any(self.holds(one, given) for one in any_of)
            case [("Fn::Contains", [texts, one])]:
                return str(self.value(one, given)) in [str(text) for text in texts]
            case [("Fn::Equals", [left, right])]:
                return str(self.value(left, given)) == str(self.value(right, given))
        raise ValueError(f"not a condition: {condition}")

    def made(self, given: dict[str, Any] | None = None, part: str = "Resources") -> dict[str, dict]:
        """The resources, or outputs, that there are with these parameters."""
        every = self.template[part].items()
        return {name: it for name, it in every if "Condition" not in it or self.holds({"Condition": it["Condition"]}, given)}

    def refusals(self, given: dict[str, Any]) -> list[str]:
        """What the template's own rules say against these parameters."""
        found = []
        for rule in self.template.get("Rules", {}).values():
            if "RuleCondition" not in rule or self.holds(rule["RuleCondition"], given):
                broken = [it for it in rule["Assertions"] if not self.holds(it["Assert"], given)]
                found += [it["AssertDescription"] for it in broken]
        return found

    def choices(self, node: Any) -> list[dict[str, Any]]:
        """Parameters that matter for `node`, with each value that may be given: what is allowed, or default and bounds."""
        match node:
            case {"Ref": name} if name in self.parameters:
                it = self.parameters[name]
                values = it.get("AllowedValues") or [it[key] for key in ("Default", "MinValue", "MaxValue") if key in it]
                return [{name: value} for value in values]
        return [{}]


def references(node: Any) -> Iterator[str]:
    """Every name that `node` refers to: by Ref, by GetAtt, in a Sub, as a Condition."""
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    if not isinstance(node, dict):
        return
    for key, item in node.items():
        if key == "Ref":
            yield item
        elif key == "Fn::GetAtt":
            yield (item if isinstance(item, str) else item[0]).split(".")[0]
        elif key == "Fn::Sub":
            text, names = (item, {}) if isinstance(item, str) else item
            yield from (name.split(".")[0] for name in re.findall(r"\$\{([^!}][^}]*)\}", text))
            yield from references(names)
        else:
            if key == "Condition" and isinstance(item, str):
                yield item
            yield from references(item)


def as_list(node: Any) -> list:
    """IAM takes one or several of most things."""
    if node is None:
        return []
    return node if isinstance(node, list) else [node]
