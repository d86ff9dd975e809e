"""Prints the CloudFormation template that SAM makes of TEMPLATE, for linters.

Dependency cycles between SAM's generated resources are visible only there.
"""

import json
import sys

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
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # `sam package` puts an S3 address here; the translator takes nothing else.
            resource["Properties"]["CodeUri"] = "s3://bucket/function.zip"
    json.dump(transform(template, {}, NoManagedPolicies()), sys.stdout, indent=2)


if __name__ == "__main__":
    main(sys.argv[1])
