"""Whoever cannot deploy is told before the build, and whoever can is told where to."""

import contextlib
import io
import os
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from unittest import mock

import account

ANSWER = b"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::000000000000:user/x</Arn><UserId>x</UserId><Account>000000000000</Account></GetCallerIdentityResult>
<ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></GetCallerIdentityResponse>"""
NOBODY = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"}
REGION = {"AWS_DEFAULT_REGION": "us-east-1"}
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


class Sts(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: object) -> None:
        pass


class Account(unittest.TestCase):
    def asked(self, stack: str = "", **variables: str) -> tuple[str | None, str]:
        """What is wrong, and what was printed."""
        printed = io.StringIO()
        with mock.patch.dict(os.environ, NOBODY | variables, clear=True), contextlib.redirect_stdout(printed):
            return account.main(stack), printed.getvalue()

    def wrong(self, part: str, stack: str = "", **variables: str) -> None:
        wrong, printed = self.asked(stack, **variables)
        self.assertIn(part, wrong or "")
        self.assertEqual(printed, "")

    def test_no_region(self) -> None:
        self.wrong("set AWS_DEFAULT_REGION", **KEYS)
        self.wrong("AWS_REGION alone is not read", AWS_REGION="us-east-1", **KEYS)

    def test_no_credentials(self) -> None:
        self.wrong("set AWS_PROFILE", **REGION)
        self.wrong("set AWS_PROFILE", AWS_PROFILE="nobody", **REGION)

    def test_a_name_that_no_bucket_can_have(self) -> None:
        for stack in ("Sluice", "my_stack", "1st", "s" * 36):
            self.wrong(f"STACK={stack}:", stack, **REGION, **KEYS)

    def test_where_it_goes(self) -> None:
        with HTTPServer(("127.0.0.1", 0), Sts) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            there = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}", "NO_PROXY": "127.0.0.1"}
            for stack, name in (("", "sluice"), ("other", "other")):
                said = f"deploying stack {name} to account 000000000000 in us-east-1\n"
                self.assertEqual(self.asked(stack, **there, **REGION, **KEYS), (None, said))
            server.shutdown()


if __name__ == "__main__":
    unittest.main()
