"""A Ceph object gateway on one machine, in memory: a real S3 service that enforces session policies.

One monitor, one OSD on memstore, one gateway, all on loopback and stopped by the context manager. Needs
Debian's ``radosgw ceph-mon ceph-osd ceph-common``.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stacks.credentials import AwsCredentials

PROGRAMS = ("radosgw", "radosgw-admin", "ceph-mon", "ceph-osd", "ceph", "monmaptool")

# No replication, no authentication within the cluster (all of it is this machine's loopback), and a key for
# the tokens that STS hands out, which must have 16 characters.
_SETTINGS = {
    "auth cluster required": "none",
    "auth service required": "none",
    "auth client required": "none",
    "mon host": "[v2:127.0.0.1:{mon}]",
    "mon initial members": "a",
    "public addr": "127.0.0.1",
    "cluster addr": "127.0.0.1",
    "run dir": "{folder}",
    "admin socket": "{folder}/$name.asok",
    "log file": "{folder}/$name.log",
    "mon data": "{folder}/mon",
    "osd data": "{folder}/osd",
    "rgw data": "{folder}/rgw",
    "mon data avail crit": "1",
    "mon allow pool size one": "true",
    "osd objectstore": "memstore",
    "osd pool default size": "1",
    "osd pool default min size": "1",
    "osd pool default pg num": "8",
    "osd pool default pg autoscale mode": "off",
    "mon max pg per osd": "1000",
    "ms bind ipv6": "false",
    "ms mon client mode": "crc",
    "ms mon service mode": "crc",
    "ms mon cluster mode": "crc",
    "paxos propose interval": "0.02",
    "rgw s3 auth use sts": "true",
    "rgw sts key": "abcdefghijklmnop",
    "rgw frontends": "beast endpoint=127.0.0.1:{gateway}",
}


@dataclass(frozen=True)
class Ceph:
    """The gateway's address and the folder of its configuration."""

    url: str
    config: Path

    def user(self, name: str, *capabilities: str) -> AwsCredentials:
        """A user with an access key, and with capabilities such as ``roles=*``."""
        caps = ["--caps", ";".join(capabilities)] if capabilities else []
        answer = _run(
            "radosgw-admin", self.config, "user", "create", "--uid", name, "--display-name", name, *caps
        )
        key = json.loads(answer)["keys"][0]
        return AwsCredentials(key["access_key"], key["secret_key"])


def missing() -> list[str]:
    """The programs that are not installed."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


@contextmanager
def running_ceph(folder: Path) -> Iterator[Ceph]:
    """Starts a cluster in ``folder``, waits until its gateway answers, and stops exactly it."""
    folder.mkdir(exist_ok=True)
    config = folder / "ceph.conf"
    ports = {"mon": _free_port(), "gateway": _free_port()}
    fsid = str(uuid.uuid4())
    lines = [f"{name} = {value.format(folder=folder, **ports)}" for name, value in _SETTINGS.items()]
    config.write_text("\n".join(["[global]", f"fsid = {fsid}", *lines, ""]))
    for name in ("mon", "osd", "rgw"):
        (folder / name).mkdir()
    address = f"[v2:127.0.0.1:{ports['mon']}]"
    monmap = str(folder / "monmap")
    _run("monmaptool", config, "--create", "--fsid", fsid, "--addv", "a", address, monmap)
    _run("ceph-mon", config, "--mkfs", "-i", "a", "--monmap", monmap)
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        daemons.append(_start("ceph-mon", config, "-f", "-i", "a"))
        osd = str(uuid.uuid4())
        _run("ceph", config, "osd", "new", osd)
        _run("ceph-osd", config, "-i", "0", "--mkfs", "--osd-uuid", osd)
        daemons.append(_start("ceph-osd", config, "-f", "-i", "0"))
        daemons.append(_start("radosgw", config, "-f", "-n", "client.rgw.a"))
        ceph = Ceph(f"http://127.0.0.1:{ports['gateway']}", config)
        _wait(ceph.url)
        yield ceph
    finally:
        for daemon in reversed(daemons):
            daemon.kill()  # all that they hold is in memory and this folder
            daemon.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CEPH")}


def _run(program: str, config: Path, *arguments: str) -> str:
    done = subprocess.run(
        [program, *([] if program == "monmaptool" else ["-c", str(config)]), *arguments],
        env=_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{program} {arguments}: {done.stderr[-2000:]}")
    return done.stdout


def _start(program: str, config: Path, *arguments: str) -> subprocess.Popen[bytes]:
    with (config.parent / f"{program}.out").open("wb") as output:
        return subprocess.Popen(
            [program, "-c", config, *arguments], env=_environment(), stdout=output, stderr=output
        )


def _wait(url: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the gateway at {url} did not start")
