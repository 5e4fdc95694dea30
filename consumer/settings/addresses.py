"""What is wrong with a store's address that stands in the file; a variable's is read at the start. Pure."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl

from consumer.errors import SettingsError
from consumer.settings.clusters import read_address, region_of
from consumer.settings.document import Path
from consumer.settings.model import Settings
from consumer.settings.stores import NO_LIBPQ_ADDRESS, OpenSearchIndex, Store

SECRETS = frozenset({"password", "sslpassword", "oauth_client_secret"})
"""Of a connection string (PostgreSQL Documentation, "Parameter Key Words")."""

SEEN_BY_ALL = (
    "`url` has a password in it, which everyone sees who may read the settings; put the URL into an"
    " environment variable, and its name under `url_env`, or the password into a PGPASSFILE"
)

_URI = re.compile(r"postgres(ql)?://")
_URI_WITH_PASSWORD = re.compile(r"postgres(ql)?://[^@/:]*:[^@/]+@")
_PART = re.compile(r"\s*(\w+)\s*=\s*(?:'(?:[^'\\]|\\.)*'|(?!')(?:[^\s\\]|\\.)*)\s*", re.DOTALL)
"""A keyword and its value (PostgreSQL Documentation, "Keyword/Value Connection Strings")."""


def address_mistakes(settings: Settings) -> Iterator[tuple[Path, str]]:
    """Where in the settings an address is wrong, and why; what has a password in it is not repeated."""
    for index, processor in enumerate(settings.processors):
        store = processor.store
        path = ("processors", index, processor.kind, "store", store.kind)
        if store.postgresql is not None and (why := _of_postgresql(store.postgresql.url or "")) is not None:
            yield (*path, "url"), why
        if isinstance(store, Store) and store.opensearch is not None:
            for setting, why in _of_opensearch(store.opensearch):
                yield (*path, setting), why


def _of_postgresql(url: str) -> str | None:
    names = _parameters(url)
    if names is None:
        return NO_LIBPQ_ADDRESS
    return SEEN_BY_ALL if names & SECRETS else None


def _parameters(url: str) -> set[str] | None:
    """Names of what an address says; None where it is none. The rest only libpq knows."""
    if _URI.match(url):
        given = {name for name, _ in parse_qsl(url.partition("?")[2], keep_blank_values=True)}
        return given | {"password"} if _URI_WITH_PASSWORD.match(url) else given
    parts = list(_PART.finditer(url))
    return None if "".join(part[0] for part in parts) != url else {part[1] for part in parts}


def _of_opensearch(store: OpenSearchIndex) -> Iterator[tuple[str, str]]:
    """The setting and what is wrong with it."""
    if store.url is None:
        return
    try:
        address = read_address(store.url)
        if store.sigv4 is not None:
            region_of(address, store.region)
    except SettingsError as error:
        setting, _, why = str(error).partition(": ")
        yield setting, why
