"""Prints the CloudFormation template that SAM makes of TEMPLATE, for linters.

Dependency cycles between SAM's generated resources are visible only there, and so are the state machines: their files are
put in.
"""

import json
import sys
from pathlib import Path

import states

from samtranslator.public.translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies(ManagedPolicyLoader):
    """Every function brings its own role, so SAM never has to look one up in IAM."""

    def __init__(self):
        super().__init__(None)

    def load(self):
        return {}


def main(path: str) -> None:
    with open(path, encoding="utf-8") as file:
        template = yaml_parse(file)
    machines = {}
    for name, resource in template["Resources"].items():
        properties = resource["Properties"]
        # `sam package` puts an S3 address here; the translator takes nothing else.
        if resource["Type"] == "AWS::Serverless::Function":
            properties["CodeUri"] = "s3://bucket/function.zip"
        if resource["Type"] == "AWS::Serverless::StateMachine":
            machines[name] = states.definition(Path(path).parent / properties["DefinitionUri"])
            properties["DefinitionUri"] = "s3://bucket/machine.json"
    transformed = transform(template, {}, NoManagedPolicies())
    for name, machine in machines.items():
        properties = transformed["Resources"][name]["Properties"]
        del properties["DefinitionS3Location"]
        properties["Definition"] = machine
    json.dump(transformed, sys.stdout, indent=2)


if __name__ == "__main__":
    main(sys.argv[1])
