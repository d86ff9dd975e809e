"""The comparison: what one would write for this job in Python with boto3 and zipfile, and its bootstrap.

Same behaviour as the compressor with its default settings: SQS records with S3 notifications in, one object
read, zipped at level 6, written only if absent with the same metadata, the source deleted only if it is still
the one that was read, failures reported per record. Records one after the other, as such functions do.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import sys
import traceback
import urllib.parse
import zipfile
from typing import Any

import boto3
from botocore.exceptions import ClientError

SOURCE_PREFIX = os.environ.get("SOURCE_PREFIX", "incoming/")
OUTPUT_PREFIX = os.environ.get("OUTPUT_PREFIX", "processed/")
LEVEL = int(os.environ.get("COMPRESSION_LEVEL", "6"))
DELETE = os.environ.get("SOURCE_DISPOSITION", "delete") == "delete"

S3 = boto3.client("s3")


def output_key(key: str) -> str:
    """`processed/<first two hex digits of MD5>/<path>.zip`."""
    path = key.removeprefix(SOURCE_PREFIX)
    folder, _, rest = path.partition("/")
    if rest and folder == hashlib.md5(rest.encode()).hexdigest()[:2]:
        path = rest
    return f"{OUTPUT_PREFIX}{hashlib.md5(path.encode()).hexdigest()[:2]}/{path}.zip"


def compress(bucket: str, key: str, sequencer: str) -> None:
    """One object."""
    source = S3.get_object(Bucket=bucket, Key=key)
    data = source["Body"].read()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as out:
        out.writestr(os.path.basename(key), data)
    metadata = {
        **source.get("Metadata", {}),
        "source-key-sha256": hashlib.sha256(key.encode()).hexdigest(),
        "source-etag": source["ETag"],
        "source-size": str(len(data)),
        "source-sequencer": sequencer,
        "source-content-type": source.get("ContentType", ""),
    }
    archive.seek(0)
    try:
        S3.put_object(
            Bucket=bucket,
            Key=output_key(key),
            Body=archive,
            ContentType="application/zip",
            Metadata=metadata,
            IfNoneMatch="*",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "PreconditionFailed":
            raise
    if DELETE:
        S3.delete_object(Bucket=bucket, Key=key, IfMatch=source["ETag"])


def handler(event: dict[str, Any]) -> dict[str, Any]:
    """The SQS batch, with partial failures."""
    failures = []
    for message in event["Records"]:
        try:
            for record in json.loads(message["body"])["Records"]:
                s3 = record["s3"]
                key = urllib.parse.unquote_plus(s3["object"]["key"])
                if key.startswith(SOURCE_PREFIX):
                    compress(s3["bucket"]["name"], key, s3["object"].get("sequencer", ""))
        except Exception:  # one bad record must not take the others with it
            traceback.print_exc()
            failures.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failures}


def main() -> None:
    """The loop of AWS's runtime interface client: poll, call, answer."""
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    prefix = "/2018-06-01/runtime/invocation"
    while True:
        api.request("GET", f"{prefix}/next")
        response = api.getresponse()
        event = json.loads(response.read())
        request_id = response.headers["Lambda-Runtime-Aws-Request-Id"]
        try:
            answer, kind = handler(event), "response"
        except Exception as error:
            answer, kind = {"errorType": type(error).__name__, "errorMessage": str(error)}, "error"
        api.request("POST", f"{prefix}/{request_id}/{kind}", json.dumps(answer), {"Content-Type": "application/json"})
        api.getresponse().read()


if __name__ == "__main__":
    try:
        main()
    except (http.client.HTTPException, OSError):
        sys.exit(0)
