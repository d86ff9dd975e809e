"""python tests/local_cloud/account.py [STACK]: says where `make deploy` goes, or why it cannot, before minutes of building.

It goes by what sam goes by: its own settings, and those of boto3, which takes no region from AWS_REGION.
"""

import os
import re
import sys
import tomllib
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ROOT = Path(__file__).resolve().parents[2]
# The bucket is STACK-ACCOUNT-REGION: 63 characters, with the longest name of a region.
STACK_NAME = r"[a-z][a-z0-9-]{0,34}"
ONE_TRY = Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 0})


def main(given: str) -> str | None:
    """What is wrong; nothing after the place has been printed."""
    settings = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))["default"]
    own = settings["global"]["parameters"] | settings["deploy"]["parameters"]
    stack = given or own["stack_name"]
    if not re.fullmatch(STACK_NAME, stack):
        return f"STACK={stack}: at most 35 lower-case letters, digits and hyphens, a letter first; the bucket is named after it"
    try:
        region = os.environ.get("AWS_DEFAULT_REGION") or own.get("region")
        session = boto3.Session(profile_name=own.get("profile"), region_name=region)
        if not session.region_name:
            other = ", AWS_REGION alone is not read" if os.environ.get("AWS_REGION") else ""
            return f"no region: set AWS_DEFAULT_REGION, or one in your profile{other}"
        account = session.client("sts", config=ONE_TRY).get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        return f"no use of credentials: {error}\ndeploy: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    print(f"deploying stack {stack} to account {account} in {session.region_name}", flush=True)
    return None


if __name__ == "__main__":
    if wrong := main(*(sys.argv[1:] or [""])):
        sys.exit(f"deploy: {wrong}")
