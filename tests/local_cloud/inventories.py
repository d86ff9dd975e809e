"""An S3 Inventory report as S3 delivers it: a manifest, its checksum, and gzipped CSV files."""

import csv
import gzip
import hashlib
import io
import json
import urllib.parse

BUCKET = "lists"
FOLDER = "there-already/all"
COLUMNS = ("Bucket", "Key", "VersionId", "IsLatest", "IsDeleteMarker", "Size", "ETag", "StorageClass")


def row(bucket: str, found: dict, *, latest: bool = True, marker: bool = False) -> list[str]:
    """A version, or the marker of a removal, as the listing of versions has it."""
    key = urllib.parse.quote_plus(found["Key"], safe="/")
    state = [found["VersionId"], str(latest).lower(), str(marker).lower()]
    return [bucket, key, *state, *(["", "", ""] if marker else [str(found["Size"]), found["ETag"].strip('"'), "STANDARD"])]


def part(number: int) -> str:
    """The key of a file of the report."""
    return f"{FOLDER}/data/{number:08}-0000-4000-8000-000000000000.csv.gz"


def deliver(s3, source: str, rows: list[list[str]], files: int) -> str:
    """Puts a report on `source` into the bucket of reports, its rows shared out to `files`; where its manifest is."""
    named = []
    for number in range(files):
        key = part(number)
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows[number::files])
        body = gzip.compress(text.getvalue().encode(), mtime=0)
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        named.append({"key": key, "size": len(body), "MD5checksum": _md5(body)})
    manifest = {
        "sourceBucket": source,
        "destinationBucket": f"arn:aws:s3:::{BUCKET}",
        "version": "2016-11-30",
        "creationTimestamp": "1795222800000",
        "fileFormat": "CSV",
        "fileSchema": ", ".join(COLUMNS),
        "files": named,
    }
    body = json.dumps(manifest).encode()
    folder = f"{FOLDER}/2026-11-21T01-00Z"
    s3.put_object(Bucket=BUCKET, Key=f"{folder}/manifest.json", Body=body)
    s3.put_object(Bucket=BUCKET, Key=f"{folder}/manifest.checksum", Body=f"{_md5(body)}\n".encode())
    return f"s3://{BUCKET}/{folder}/manifest.json"


def _md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()
