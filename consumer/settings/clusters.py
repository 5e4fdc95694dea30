"""Where an OpenSearch cluster is, read off its URL."""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from consumer.errors import SettingsError

_PORTS = {"http": 80, "https": 443}
_SERVERLESS = ".aoss.amazonaws.com"
_AWS_HOST = re.compile(
    r"\.(?P<region>[a-z0-9-]+)\.es\.amazonaws\.com(\.cn)?$|\.aos\.(?P<of_dual_stack>[a-z0-9-]+)\.on\.aws$"
)
"""Domain endpoints (Amazon OpenSearch Service Developer Guide, "Creating and managing domains")."""


@dataclass(frozen=True, slots=True)
class Address:
    """One cluster's.

    Attributes:
        is_secure: by TLS.
        prefix: the path below which the cluster answers, such as `/search`; "" for none.
        login: user and password, if the URL has them.
    """

    host: str
    port: int
    is_secure: bool
    prefix: str = ""
    login: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """The URL without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_secure else 'http'}://{host}:{self.port}{self.prefix}"


def region_of(address: Address, given: str | None) -> str:
    """The region that requests are signed for: the one given, or that of a domain's own host name.

    Raises:
        SettingsError: neither says it.
    """
    found = _AWS_HOST.search(address.host)
    region = given or (found and (found["region"] or found["of_dual_stack"]))
    if not region:
        raise SettingsError(f"region: {address.host!r} names none, and requests are signed for one; set it")
    return region


def read_address(url: str) -> Address:
    """The address that a URL says; a port that it leaves out is the scheme's own.

    Raises:
        SettingsError: it is no such URL; its text has no part of the password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SettingsError("url: not a URL; write https://host:port") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise SettingsError("url: an address of OpenSearch begins with https:// or http://, and names a host")
    if parts.hostname.endswith(_SERVERLESS):
        raise SettingsError(
            f"url: {parts.hostname}: OpenSearch Serverless lacks what keeps late changes out; use a domain of"
            " OpenSearch Service, or a cluster of your own"
        )
    login = None
    if parts.username is not None:
        login = (unquote(parts.username), unquote(parts.password or ""))
    return Address(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        is_secure=parts.scheme == "https",
        prefix=parts.path.rstrip("/"),
        login=login,
    )
