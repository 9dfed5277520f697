"""Faults of a cloud: busy, failing, slow, credentials that expire; and secrets that stay where they are.

The tests share one stack and build on each other in the order of this file, because each command starts the
provider anew, which takes seconds.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from emulator import REGION, Emulator
from proxy import Answer, Held, Proxy, Request, error, proxy_to
from world import World, ended, wait_until

pytestmark = pytest.mark.slow  # minutes of real Terraform, beside which the default tests have shorter ones

NO_RULES = {"noncurrent_days": None, "abort_multipart_days": None}
SECRET = "canary-of-the-secret-key-5c1f9d"
TOKEN = "canary-of-the-session-token-77aa0b"


@pytest.fixture(scope="module")
def proxy(cloud: Emulator) -> Iterator[Proxy]:
    """What stands between the product and the emulator."""
    with proxy_to(cloud.url) as running:
        yield running


@pytest.fixture(scope="module")
def watched(aws: World) -> Iterator[Watch]:
    """The world of this file, its credentials' secret parts being canaries; what it starts is watched."""
    aws.environment |= {"AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}
    watch = Watch(aws)
    watch.start()
    yield watch
    watch.stop()


class Watch(threading.Thread):
    """Reads the command line of everything that runs in a world, as anybody on the machine can."""

    def __init__(self, world: World) -> None:
        super().__init__(name="watch")
        self.world = world
        self.seen: set[str] = set()
        self._stopped = threading.Event()

    def run(self) -> None:
        """Look again and again."""
        while not self._stopped.wait(0.05):
            for line in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(line.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:
                    continue  # it has ended meanwhile

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self.join()


def write(aws: World, cloud: Emulator, proxy: Proxy, *stores: str) -> Path:
    """A manifest whose cloud is the proxy."""
    return aws.manifest(
        provider="aws",
        region=REGION,
        endpoint_url=proxy.url,
        artifact_stores=[
            {
                "name": name,
                "bucket": f"acme-{name}",
                "protect": False,
                "lifecycle": NO_RULES,
                "connector": "shared",
            }
            for name in stores
        ],
        connectors=[{"name": "shared", "trusted_principals": [cloud.user_arn]}],
    )


def test_a_service_that_is_busy_or_fails_for_a_moment_is_asked_again(
    aws: World, cloud: Emulator, proxy: Proxy, watched: Watch
) -> None:
    """And credentials that expire in the middle end the apply with their own code, not with a loss."""
    troubles = [(500, "InternalError"), (429, "SlowDown"), (503, "SlowDown")]
    troubled: list[str] = []
    expired = threading.Event()

    def before(request: Request) -> Answer | None:
        if "publicAccessBlock" in request.path and request.method == "PUT":
            expired.set()  # the bucket is made, its settings are not
        if expired.is_set():
            return error(request, 400, "ExpiredToken")
        if request.creates_bucket and troubles:
            troubled.append(request.path)
            return error(request, *troubles.pop())
        return None

    proxy.before = before
    failed = aws.provision("apply", write(aws, cloud, proxy, "first"), "-y", expect=4)
    proxy.heal()

    assert len(troubled) == 3
    assert "ExpiredToken" in failed.err
    assert "the apply stopped in the middle and kept its state" in failed.err
    assert "log in again and run the same command" in failed.err
    assert cloud.buckets() == ["acme-first"]
    assert aws.registered() == []


def test_the_rerun_goes_on_from_there(aws: World, cloud: Emulator, proxy: Proxy, watched: Watch) -> None:
    rerun = aws.provision("apply", write(aws, cloud, proxy, "first"), "-y", "--no-verify")

    assert "ended in the middle; going on from what is there" in rerun.err
    assert aws.registered() == ["first"]
    assert len(cloud.roles()) == 1


def test_a_bucket_whose_maker_was_killed_is_taken_into_the_state(
    aws: World, cloud: Emulator, proxy: Proxy, watched: Watch
) -> None:
    """It exists, and no state knows of it: making it again would fail for ever."""
    held = Held(lambda request: request.creates_bucket)
    proxy.after = held
    apply = aws.start("apply", write(aws, cloud, proxy, "first", "second"), "-y", "--no-verify")
    wait_until(held.reached.is_set, "the bucket to be made")
    aws.kill(lambda process: "apply" in process.cmdline() and process.pid != apply.pid)
    failed = ended(apply, 5)
    held.released.set()
    proxy.heal()
    assert "killed by signal 9" in failed.err
    assert "acme-second" in cloud.buckets()
    assert "acme-second" not in aws.terraform_state().read_text()

    rerun = aws.provision("apply", write(aws, cloud, proxy, "first", "second"), "-y", "--no-verify")

    address = "module.store_second.aws_s3_bucket.this[0]"
    assert f"taken into the state: {address} (acme-second)" in rerun.err
    assert aws.registered() == ["first", "second"]
    versioning = cloud.client("s3").get_bucket_versioning(Bucket="acme-second")
    assert versioning["Status"] == "Enabled"


@pytest.mark.slow
def test_a_plan_whose_command_was_killed_is_waited_for(
    aws: World, cloud: Emulator, proxy: Proxy, watched: Watch
) -> None:
    """Its Terraform lives on, and holds Terraform's own lock of the state."""
    held = Held(lambda request: request.method == "GET" and "versioning" in request.path)
    proxy.after = held
    plan = aws.start("plan", write(aws, cloud, proxy, "first", "second"))
    wait_until(held.reached.is_set, "the plan to read the cloud")
    os.kill(plan.pid, signal.SIGKILL)
    ended(plan, -signal.SIGKILL)
    told = aws.folder / "told"
    with told.open("w") as stream:
        status = aws.start("plan", aws.folder / "stack.yaml", "--detailed-exitcode", stderr=stream)
        wait_until(lambda: "is still at work here: waiting for it" in told.read_text(), "the next to wait")
        held.released.set()
        proxy.heal()
        ended(status)


@pytest.mark.slow
def test_a_provider_that_crashes_is_told_and_what_it_made_is_taken_into_the_state(
    aws: World, cloud: Emulator, proxy: Proxy, watched: Watch
) -> None:
    """Terraform lives, writes its state, and knows nothing of the bucket whose maker is gone."""
    stores = ("first", "second", "third")
    held = Held(lambda request: request.creates_bucket)
    proxy.after = held
    apply = aws.start("apply", write(aws, cloud, proxy, *stores), "-y", "--no-verify")
    wait_until(held.reached.is_set, "the bucket to be made")
    aws.kill(lambda process: any("terraform-provider-aws" in word for word in process.cmdline()[:1]))
    failed = ended(apply, 5)
    held.released.set()
    proxy.heal()
    assert "killed" not in failed.err  # it was not Terraform that died
    assert "acme-third" in cloud.buckets()
    kept = json.loads(aws.terraform_state().read_text())["resources"]
    known = [
        instance["attributes"]["bucket"]
        for resource in kept
        if resource["type"] == "aws_s3_bucket"
        for instance in resource["instances"]
    ]
    assert known == ["acme-first", "acme-second"]
    assert aws.registered() == ["first", "second"]

    rerun = aws.provision("apply", write(aws, cloud, proxy, *stores), "-y", "--no-verify")

    assert "taken into the state: module.store_third.aws_s3_bucket.this[0] (acme-third)" in rerun.err
    assert aws.registered() == sorted(stores)


def test_no_secret_is_in_any_file_argument_or_output(
    aws: World, cloud: Emulator, proxy: Proxy, watched: Watch
) -> None:
    """Of all the runs above, those that failed and those that were killed among them."""
    drift = aws.provision("--debug", "drift", "demo")
    leaks = [path for path in aws.folder.rglob("*") if _holds_canary(path)]
    destroyed = aws.provision("destroy", "demo", "-y")
    leaks += [path for path in aws.folder.rglob("*") if _holds_canary(path)]

    assert leaks == []
    assert cloud.buckets() == []
    assert any("terraform" in line for line in watched.seen)
    for text in (drift.said, destroyed.said, *watched.seen):
        assert SECRET not in text
        assert TOKEN not in text


def _holds_canary(path: Path) -> bool:
    if not path.is_file() or path.is_symlink():
        return False
    contents = [path.read_bytes()]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            contents += [archive.read(name) for name in archive.namelist()]
    return any(canary.encode() in content for content in contents for canary in (SECRET, TOKEN))
