"""An S3 service with objects of any size and no disk: it makes up what is read, and checks what is written.

Run as a program: ``made_up_s3.py PART_SIZE``. It prints its port. Every key ``/bucket/SIZE`` is an object of
``SIZE`` bytes, of which byte ``n`` is ``PATTERN[n % len(PATTERN)]``; the length of the pattern is an odd one,
so that a block in the wrong place is noticed. What is written has to be the same bytes.
``GET /report`` says what was seen, and forgets it.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

MIB = 1024 * 1024
PATTERN = random.Random(5).randbytes(MIB + 7)
_TILED = memoryview(PATTERN * 34)  # 32 MiB can be cut out from any place in the first one
_LONGEST = 32 * MIB
_ETAG = '"0123456789abcdef0123456789abcdef-5"'


def content(start: int, length: int) -> memoryview:
    """The bytes of every object from ``start`` on; ``length`` is 32 MiB at most."""
    at = start % len(PATTERN)
    return _TILED[at : at + length]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, part_size: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.part_size = part_size
        self.lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        self.parts: dict[int, int] = {}
        self.report: dict[str, Any] = {
            "sent": 0,
            "requests": 0,
            "wrong": [],
            "written": None,
            "aborted": False,
        }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/report":
            with self.server.lock:
                found = json.dumps(self.server.report).encode()
                self.server.forget()
            self.answer(200, found)
        elif "list-type" in parts.query:
            self.answer(200, b"<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>")
        else:
            self.send_range(int(parts.path.rpartition("/")[2]))

    def do_HEAD(self) -> None:
        size = int(urlsplit(self.path).path.rpartition("/")[2])
        self.begin(200, size)

    def do_PUT(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        number = int(query["partNumber"][0]) if "partNumber" in query else 1
        length = int(self.headers["Content-Length"])
        expected = content((number - 1) * self.server.part_size, length)
        digest, at = hashlib.sha256(), 0
        buffer = memoryview(bytearray(MIB))
        wrong = length > _LONGEST
        while at < length and (got := self.rfile.readinto(buffer[: length - at])):  # type: ignore[attr-defined] # a BufferedReader
            digest.update(buffer[:got])
            wrong = wrong or buffer[:got] != expected[at : at + got]
            at += got
        wrong = wrong or self.headers["x-amz-content-sha256"] != digest.hexdigest()
        with self.server.lock:
            self.server.parts[number] = length
            if wrong:
                self.server.report["wrong"].append(number)
        self.answer(200, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        if "uploads" in self.path:
            self.answer(
                200, b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
            )
            return
        named = [int(number) for number in re.findall(r"<PartNumber>(\d+)</PartNumber>", body)]
        with self.server.lock:
            sizes = [self.server.parts[number] for number in named]
            in_order = named == list(range(1, len(named) + 1))
            full = all(size == self.server.part_size for size in sizes[:-1])
            self.server.report["written"] = sum(sizes) if in_order and full else -1
        done = f"<CompleteMultipartUploadResult><ETag>{_ETAG}</ETag></CompleteMultipartUploadResult>"
        self.answer(200, done.encode())

    def do_DELETE(self) -> None:
        with self.server.lock:
            self.server.report["aborted"] = True
        self.answer(204, b"")

    def send_range(self, size: int) -> None:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"] or "")
        if found is None or int(found[1]) >= size:
            self.answer(416, b"<Error><Code>InvalidRange</Code></Error>")
            return
        start, stop = int(found[1]), min(int(found[2]) + 1, size)
        with self.server.lock:
            self.server.report["sent"] += stop - start
        self.begin(206, stop - start, {"Content-Range": f"bytes {start}-{stop - 1}/{size}"})
        while start < stop:
            piece = content(start, min(stop - start, _LONGEST))
            self.connection.sendall(piece)
            start += len(piece)

    def answer(self, status: int, body: bytes) -> None:
        self.begin(status, len(body))
        self.wfile.write(body)

    def begin(self, status: int, length: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("ETag", _ETAG)
        self.send_header("Last-Modified", "Sat, 21 Nov 2026 06:00:00 GMT")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        return


if __name__ == "__main__":
    service = Server(int(sys.argv[1]))
    print(service.server_address[1], flush=True)
    service.serve_forever()
