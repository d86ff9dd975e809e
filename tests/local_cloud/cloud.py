"""MiniStack, a local AWS, as a process of ours: started, waited for, stopped.

It speaks TLS and evaluates IAM policies. So the deployed role has to suffice for what the function does, the queue
policy has to let the bucket send, and the statements that deny plain HTTP are in force.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 20
REGION = "us-east-1"


class CloudError(Exception):
    """The local cloud did not start or did not stop."""


@dataclasses.dataclass(frozen=True)
class Cloud:
    """One running instance; `folder` holds all that it writes."""

    folder: Path
    port: int
    pid: int

    @property
    def endpoint(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def certificate(self) -> Path:
        return _certificate(self.folder)

    @property
    def log(self) -> Path:
        return self.folder / "ministack.log"

    def settings(self) -> dict[str, str]:
        """What a client needs in its environment: this endpoint, and nothing of the user's own account."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_CA_BUNDLE": str(self.certificate),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        }

    def environment(self) -> dict[str, str]:
        """The environment for a child process that talks to this cloud."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return inherited | self.settings()


def _certificate(folder: Path) -> Path:
    return folder / "tmp" / "ministack-tls" / "server.crt"


def start(folder: Path, *, wait_scale: float = 1) -> Cloud:
    """Starts an empty cloud and returns when it answers. State machines wait only `wait_scale` of what they say."""
    running = find(folder)
    if running:
        raise CloudError(f"one is already running (process {running.pid}); 'make down' stops it")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tmp").mkdir(parents=True)
    port = _free_port()
    with open(folder / "ministack.log", "wb") as log:
        process = subprocess.Popen(
            [Path(sys.executable).parent / "ministack"],
            env=_server_environment(folder, port) | {"SFN_WAIT_SCALE": str(wait_scale)},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    cloud = Cloud(folder, port, process.pid)
    _state_file(folder).write_text(json.dumps({"port": port, "pid": process.pid}))
    try:
        _wait_until_healthy(cloud, process)
    except CloudError:
        stop(cloud)
        raise
    return cloud


def _server_environment(folder: Path, port: int) -> dict[str, str]:
    """All of it: functions inherit the emulator's environment, so it must not hold anything of the user's."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "TMPDIR": str(folder / "tmp"),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "AWS_ENDPOINT_URL": f"https://127.0.0.1:{port}",  # handed to the functions
        "IOT_MTLS_ENABLED": "0",  # would listen on every interface
        "USE_SSL": "1",
        "SSL_CERT_FILE": str(_certificate(folder)),  # what the functions trust
        "AUTH": "true",
    }


def find(folder: Path) -> Cloud | None:
    """The instance that was started in `folder`, if it still runs."""
    try:
        state = json.loads(_state_file(folder).read_text())
    except FileNotFoundError:
        return None
    cloud = Cloud(folder, state["port"], state["pid"])
    return cloud if _is_ours(cloud) else None


def stop(cloud: Cloud) -> None:
    """Stops the instance and returns when its process and its port are gone."""
    deadline = time.monotonic() + STOP_SECONDS_MAX
    signal_number = signal.SIGTERM
    while _is_ours(cloud):
        os.kill(cloud.pid, signal_number)
        until = min(deadline, time.monotonic() + STOP_SECONDS_MAX / 4)
        while _is_ours(cloud) and time.monotonic() < until:
            time.sleep(0.05)
        if time.monotonic() >= deadline:
            signal_number = signal.SIGKILL
            deadline += STOP_SECONDS_MAX
    _stop_functions(cloud)
    while not _port_is_free(cloud.port):
        if time.monotonic() > deadline:
            raise CloudError(f"port {cloud.port} is still taken after the local cloud's end")
        time.sleep(0.05)
    _state_file(cloud.folder).unlink(missing_ok=True)


def _stop_functions(cloud: Cloud) -> None:
    """Ends what the emulator left behind in its own session, which `start` made for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(cloud.pid, signal.SIGKILL)


def _is_ours(cloud: Cloud) -> bool:
    """Whether the process still is the emulator of this folder, not a later owner of its number."""
    try:
        if os.waitpid(cloud.pid, os.WNOHANG)[0] == cloud.pid:
            return False
    except ChildProcessError:
        pass  # started by an earlier run
    try:
        environment = Path(f"/proc/{cloud.pid}/environ").read_bytes()
    except OSError:
        return False
    return f"TMPDIR={cloud.folder}/tmp".encode() in environment.split(b"\0")


def _wait_until_healthy(cloud: Cloud, process: subprocess.Popen) -> None:
    # Not `_is_ours`: for a moment after its start a process has no environment to be recognised by.
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        try:
            trust = ssl.create_default_context(cafile=str(cloud.certificate))
            with urllib.request.urlopen(f"{cloud.endpoint}/_ministack/health", timeout=2, context=trust) as answer:
                if answer.status == 200:
                    return
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
    raise CloudError(f"no answer on {cloud.endpoint}; its log:\n{cloud.log.read_text()[-2000:]}")


def _state_file(folder: Path) -> Path:
    return folder / "cloud.json"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
