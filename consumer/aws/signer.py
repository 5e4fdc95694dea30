"""Signature Version 4 for a JSON POST, at the cost of three hashes a request.

Source: AWS Identity and Access Management User Guide, "Create a signed AWS API request".
Held to botocore's signer in tests.
"""

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import quote, urlsplit


@dataclass(frozen=True, slots=True)
class Credentials:
    """One set of keys as they are at a moment; `token` is there for temporary ones only."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Key:
    """What all requests of one set of credentials have in common for one day."""

    credentials: Credentials
    day: str
    scope: str
    secret: bytes


class Signer:
    """Signs for one service in one region at one endpoint.

    Args:
        service: the name in the credential scope, such as dynamodb.
        region: the region in the credential scope.
        url: the endpoint; its host (with a port that isn't the scheme's own) and path are signed.
        content_type: sent and signed.
        clock: Unix seconds.
    """

    def __init__(
        self, *, service: str, region: str, url: str, content_type: str, clock: Callable[[], float]
    ) -> None:
        parts = urlsplit(url)
        usual_port = {"http": 80, "https": 443}.get(parts.scheme)
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        self._host = host if parts.port in (None, usual_port) else f"{host}:{parts.port}"
        self._path = quote(parts.path or "/", safe="/~")
        self._service = service
        self._region = region
        self._content_type = content_type
        self._clock = clock
        self._second = -1
        self._timestamp = ""
        self._key: _Key | None = None

    def headers(
        self, target: str, body: bytes, credentials: Credentials, skew_seconds: float = 0.0
    ) -> dict[str, str]:
        """All headers but Content-Length; `skew_seconds`: how far ahead the service's clock is."""
        timestamp = self._now(skew_seconds)
        key = self._key_of(credentials, timestamp[:8])
        token = credentials.token
        token_line, token_name = (
            (f"x-amz-security-token:{token}\n", ";x-amz-security-token") if token else ("", "")
        )
        signed = f"content-type;host;x-amz-date{token_name};x-amz-target"
        request = (
            f"POST\n{self._path}\n\ncontent-type:{self._content_type}\nhost:{self._host}\nx-amz-date:{timestamp}\n"
            f"{token_line}x-amz-target:{target}\n\n{signed}\n{sha256(body).hexdigest()}"
        )
        text = f"AWS4-HMAC-SHA256\n{timestamp}\n{key.scope}\n{sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(key.secret, text.encode(), "sha256").hex()
        headers = {
            "Host": self._host,
            "Content-Type": self._content_type,
            "X-Amz-Date": timestamp,
            "X-Amz-Target": target,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{key.scope}, "
            f"SignedHeaders={signed}, Signature={signature}",
        }
        if token:
            headers["X-Amz-Security-Token"] = token
        return headers

    def _now(self, skew_seconds: float) -> str:
        second = int(self._clock() + skew_seconds)
        if second != self._second:
            self._second = second
            self._timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        return self._timestamp

    def _key_of(self, credentials: Credentials, day: str) -> _Key:
        key = self._key
        if key is None or key.day != day or key.credentials is not credentials:
            secret = f"AWS4{credentials.secret_key}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                secret = hmac.digest(secret, part.encode(), "sha256")
            scope = f"{day}/{self._region}/{self._service}/aws4_request"
            key = self._key = _Key(credentials, day, scope, secret)
        return key
