"""Apply, use, inspect and destroy an example, and leave nothing behind: `make demo`, `make demo-aws`.

Everything, the state and the caches too, lies in a temporary folder. `aws` runs against an AWS emulator
(moto's server) that is started here on a free port and stopped again; Terraform and the provider are real.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent


def run(*command: str, environment: dict[str, str]) -> None:
    """Show a command and run it; the demo ends with the first one that fails."""
    shown = [
        Path(word).name if word.startswith(str(Path(sys.executable).parent)) else word for word in command
    ]
    print(f"\n$ {shlex.join(shown)}", flush=True)
    subprocess.run(command, check=True, env=environment)


def tool(name: str) -> str:
    """A console script of the environment that runs this."""
    return str(Path(sys.executable).parent / name)


@contextmanager
def emulator() -> Iterator[str]:
    """moto's server on a free loopback port, until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [tool("moto_server"), "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{url}/moto-api/", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        else:
            sys.exit("the AWS emulator did not answer within 30 seconds")
        yield url
    finally:
        process.terminate()
        process.wait(10)


def provider_mirror() -> str | None:
    """A filesystem mirror with the AWS provider on this machine; without one the registry is asked."""
    named = os.environ.get("PROVISION_PLUGIN_MIRROR")
    if named:
        return named
    layout = "registry.terraform.io/hashicorp/aws"
    roots = [
        Path.home(),
        Path("/usr/share"),
        Path("/usr/local"),
        Path("/opt"),
        Path("/srv"),
        Path("/var/lib"),
    ]
    for root in roots:
        for depth in ("", "*/", "*/*/", "*/*/*/"):
            for found in root.glob(f"{depth}{layout}/*/*_*"):
                return str(found.parents[4])
    return None


def demonstrate(example: str, environment: dict[str, str], overrides: list[str]) -> None:
    """The whole life of a stack."""
    manifest = str(HERE / example / "stack.yaml")
    sets = [word for override in overrides for word in ("--set", override)]
    run(tool("provision"), "apply", manifest, "-y", *sets, environment=environment)
    run(sys.executable, str(HERE / "use_store.py"), environment=environment)
    run(tool("provision"), "status", environment=environment)
    run(tool("provision"), "drift", manifest, *sets, environment=environment)
    name = next(
        line.split()[1] for line in Path(manifest).read_text().splitlines() if line.startswith("name:")
    )
    # The demo's own objects have gone, but with versioning their old versions are still there.
    protection = ["--set", "artifact_stores[0].protect=false", "--force-nonempty"]
    run(tool("provision"), "destroy", name, "-y", *protection, environment=environment)
    run(tool("provision"), "status", environment=environment)


def main() -> None:
    """`demo.py local` or `demo.py aws`."""
    example = sys.argv[1]
    work = tempfile.mkdtemp(prefix="provision-demo-")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
    environment |= {
        "STACKS_STATE": f"{work}/.stacks/state.json",
        "XDG_CACHE_HOME": f"{work}/cache",
        "XDG_CONFIG_HOME": f"{work}/config",
    }
    try:
        if example == "local":
            demonstrate("local", environment, [])
            return
        mirror = provider_mirror()
        if mirror is not None:
            environment["PROVISION_PLUGIN_MIRROR"] = mirror
        with emulator() as url:
            environment |= {"AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo-secret"}
            demonstrate("aws", environment, [f"endpoint_url={url}"])
    except subprocess.CalledProcessError as error:
        sys.exit(f"the demo stopped: a command failed with exit code {error.returncode}")
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
