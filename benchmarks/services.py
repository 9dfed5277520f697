"""Endpoints to measure against: nginx, so fast that the client is what is measured, and Ceph's gateway."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_NGINX = """\
user root;
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  tcp_nodelay on;
  keepalive_requests 1000000;
  client_max_body_size 0;
  client_body_buffer_size 64k;
  client_body_temp_path {folder}/body;
  etag on;
  server {{
    listen 127.0.0.1:{port};
    root {folder}/data;
    location / {{
      dav_methods PUT DELETE;
      create_full_put_path on;
      if ($request_method = PUT) {{ add_header ETag '"1"' always; }}
      if ($args ~ "list-type") {{
        return 200 '<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>';
      }}
      if ($args ~ "uploads") {{
        return 200 '<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>';
      }}
      if ($request_method = POST) {{
        return 200 '<CompleteMultipartUploadResult><ETag>"1"</ETag></CompleteMultipartUploadResult>';
      }}
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running S3 endpoint, and the bucket to use on it."""

    name: str
    url: str
    bucket: str
    key: str = "test"
    secret: str = "testtest"
    folder: Path | None = None


@contextmanager
def nginx(folder: Path) -> Iterator[Endpoint | None]:
    """A file server that takes PUT, on the fastest folder there is; None when nginx is not installed.

    Multipart uploads are answered as S3 would, their parts written like any file: enough to time a client.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        yield None
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "data" / "bucket").mkdir(parents=True)
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, port=port))
    process = subprocess.Popen([program, "-e", str(folder / "error.log"), "-c", str(config)])
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url)
        yield Endpoint("nginx", url, "bucket", folder=folder / "data" / "bucket")
    finally:
        process.terminate()
        process.wait()


@contextmanager
def ceph(folder: Path) -> Iterator[Endpoint | None]:
    """Ceph's gateway in memory; None when its programs are not installed."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))
    import boto3
    import ceph as starter

    if starter.missing():
        yield None
        return
    with starter.running_ceph(folder, gib=12) as service:  # what is overwritten stays for a while
        owner = service.user("bench")
        boto3.client(
            "s3",
            endpoint_url=service.url,
            aws_access_key_id=owner.access_key_id,
            aws_secret_access_key=owner.secret_access_key,
            region_name="us-east-1",
        ).create_bucket(Bucket="bucket")
        yield Endpoint("Ceph RGW", service.url, "bucket", owner.access_key_id, owner.secret_access_key)


def _wait(url: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing answered at {url}")
