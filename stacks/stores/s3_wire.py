"""GET requests to S3 by the shortest way: botocore signs the URL, ``wire`` fetches it.

For pages of listings, which botocore parses twice and slowly, and for large ranges, which land in their
buffer without a copy in between.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import partial
from typing import Any

from stacks.stores.wire import Answer, Connections

URL_SECONDS = 900  # how long a signed URL holds; it is used at once


class Wire(Connections):
    """Signed GETs to one service; safe between threads, of one process."""

    def __init__(self, signer: Any, verify: bool | str | None, timeout: float) -> None:
        super().__init__(timeout, partial(_tls, verify))
        self._signer = signer

    def get(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        into: memoryview | None = None,
    ) -> Answer | None:
        """The answer; None when there was none, or a body that does not fill ``into``."""
        url = self._signer.generate_presigned_url(operation, Params=dict(parameters), ExpiresIn=URL_SECONDS)
        return self.fetch(url, headers, into)


def _tls(verify: bool | str | None) -> ssl.SSLContext:
    """As botocore verifies: with its own list of authorities, the given one, or not at all."""
    from botocore.httpsession import get_cert_path

    authorities = verify if isinstance(verify, str) else get_cert_path(verify=True)
    context = ssl.create_default_context(cafile=authorities)
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
