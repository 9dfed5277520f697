"""A real S3 service for the slow tests and the benchmarks: one Ceph monitor, one OSD in memory, one gateway.

Needs Debian's packages ``radosgw ceph-mon ceph-osd ceph-common``. All of it listens on loopback alone,
without authentication between its parts, and lives in one folder; the processes that were started here are
the ones that are stopped. The settings turn off what needs a manager, replicas or disks, and make a start
take seconds.
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

PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "monmaptool", "ceph")

_CONFIG = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon},v1:127.0.0.1:{mon1}]
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
auth supported = none
run dir = {folder}/run
admin socket = {folder}/run/$cluster-$name.asok
log file = {folder}/$name.log
pid file =
ms bind ipv6 = false
ms mon client mode = crc
ms mon service mode = crc
ms mon cluster mode = crc
ms crc data = false
ms crc header = false
debug ms = 0/0
debug osd = 0/0
debug mon = 0/0
debug rgw = 0/0
mon data = {folder}/mon
mon tick interval = 1
mon client hunt interval = 0.2
paxos propose interval = 0.02
paxos min wait = 0.01
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail crit = 1
mon max pg per osd = 1000
mon pg warn min per osd = 0
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = {size}
memstore page size = 65536
osd max object name len = 2048
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd min pg log entries = 10
osd max pg log entries = 100
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw data = {folder}/rgw
rgw enable usage log = false
rgw dynamic resharding = false
rgw override bucket index max shards = 11
rgw get obj window size = 67108864
rgw put obj min window size = 67108864
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = testkey-1=YmluCmJvb3N0CmJvb3N0LWJ1aWxkCmNlcGguY29uZgo=
rgw sts key = abcdefghijklmnop
rgw s3 auth use sts = true
"""


@dataclass(frozen=True, slots=True)
class Ceph:
    """The gateway's address and the file of its configuration."""

    url: str
    config: Path

    def user(self, name: str, *capabilities: str) -> AwsCredentials:
        """A new user with an access key, any number of buckets, and capabilities such as ``roles=*``."""
        caps = ["--caps", ";".join(capabilities)] if capabilities else []
        options = ["--uid", name, "--display-name", name, "--max-buckets", "0", *caps]
        answer = _run("radosgw-admin", "-c", str(self.config), "user", "create", *options)
        key = json.loads(answer)["keys"][0]
        return AwsCredentials(key["access_key"], key["secret_key"])


def missing() -> list[str]:
    """The programs that are not installed; none when the service can be started."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


@contextmanager
def running_ceph(folder: Path, *, gib: int = 4, seconds: float = 120) -> Iterator[Ceph]:
    """The service, from its first answer on, with room for ``gib`` GiB in memory; exactly it is stopped."""
    for name in ("mon", "osd", "run", "rgw"):
        (folder / name).mkdir(parents=True)
    fsid, port, (mon, mon1) = str(uuid.uuid4()), _free_ports(1)[0], _free_ports(2)
    config = folder / "ceph.conf"
    config.write_text(_CONFIG.format(folder=folder, fsid=fsid, port=port, mon=mon, mon1=mon1, size=gib << 30))
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: str) -> None:
        with (folder / f"{command[0]}.out").open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, env=_environment())
        started.append(process)

    try:
        address = f"[v2:127.0.0.1:{mon},v1:127.0.0.1:{mon1}]"
        monmap = str(folder / "monmap")
        _run("monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", address, monmap)
        _run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "-c", str(config))
        start("ceph-mon", "-f", "-i", "a", "-c", str(config))
        osd = str(uuid.uuid4())
        _run("ceph", "-c", str(config), "osd", "new", osd)
        _run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd, "-c", str(config))
        start("ceph-osd", "-f", "-i", "0", "-c", str(config))
        start("radosgw", "-f", "-n", "client.rgw.a", "-c", str(config))
        url = f"http://127.0.0.1:{port}"
        _wait(url, seconds)
        yield Ceph(url, config)
    finally:
        for process in reversed(started):
            process.kill()  # everything is in memory: there is nothing to shut down in order
            process.wait()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CEPH")}


def _run(*command: str) -> str:
    done = subprocess.run(
        command, env=_environment(), capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
    return done.stdout


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _wait(url: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"the Ceph gateway did not answer at {url} within {seconds} s")
