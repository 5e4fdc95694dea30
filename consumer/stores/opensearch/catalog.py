"""Indexes and aliases of a cluster: what there is, and making what is not.

OpenSearch's own pages used: Get index, Create index, Put mapping, Alias (all changes of one call at once).
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec

from consumer.errors import SettingsError
from consumer.stores.opensearch.answers import failure_of, unavailable
from consumer.stores.opensearch.cluster import Cluster
from consumer.stores.opensearch.layout import READERS_FILTER

_ENCODER = msgspec.json.Encoder()
_ALREADY_THERE = "resource_already_exists_exception"
_REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_OLDEST = 2


class FoundAlias(msgspec.Struct):
    """One alias of an index."""

    filter: dict[str, object] | None = None


class FoundIndex(msgspec.Struct):
    """One index."""

    aliases: dict[str, FoundAlias] = {}
    mappings: dict[str, object] = {}


class _Version(msgspec.Struct):
    number: str
    distribution: str = "elasticsearch"


class _Root(msgspec.Struct):
    version: _Version


class Catalog:
    """One cluster's."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def find(self, name: str) -> dict[str, FoundIndex]:
        """The indexes behind an alias, or the one of that name; empty where there is nothing.

        Raises:
            SettingsError: it may not be looked at.
            Unavailable: OpenSearch can't be asked now.
        """
        body = await self._ask("GET", f"/{name}")
        return {} if body is None else msgspec.convert(body, dict[str, FoundIndex])

    async def see_what_it_is(self) -> None:
        """See that it is an OpenSearch that takes what it will be sent.

        Raises:
            SettingsError: it is something else, or may not be asked.
            Unavailable: it can't be asked now.
        """
        body = await self._ask("GET", "/")
        try:
            version = msgspec.convert(body, _Root).version
        except msgspec.ValidationError:
            raise SettingsError("what answers there is not OpenSearch; correct the address") from None
        if version.distribution != "opensearch" or int(version.number.partition(".")[0]) < _OLDEST:
            raise SettingsError(
                f"what answers there is {version.distribution} {version.number}; it has to be OpenSearch"
                f" {_OLDEST} or newer"
            )

    async def create(self, index: str, body: Mapping[str, object]) -> None:
        """Make an index; one that is there already stays as it is.

        Raises:
            SettingsError: OpenSearch refuses it, with its reason.
            Unavailable: it can't be made now.
        """
        await self._ask("PUT", f"/{index}", body, but=_ALREADY_THERE)

    async def add_fields(self, index: str, mappings: Mapping[str, object]) -> None:
        """Give an index the fields that it lacks.

        Raises:
            SettingsError: it has them otherwise, with OpenSearch's reason.
            Unavailable: not now.
        """
        await self._ask("PUT", f"/{index}/_mapping", mappings)

    async def add_alias(self, index: str, alias: str, *, is_filtered: bool) -> None:
        """Give an index an alias, beside others that have it.

        Raises:
            SettingsError: OpenSearch refuses it.
            Unavailable: not now.
        """
        await self._change([_added(index, alias, is_filtered=is_filtered)])

    async def point(self, alias: str, index: str) -> None:
        """Let the readers' alias lead to an index and to no other, in one step.

        Raises:
            SettingsError: OpenSearch refuses it.
            Unavailable: not now.
        """
        others = [name for name in await self.find(alias) if name != index]
        removed = [{"remove": {"index": name, "alias": alias}} for name in others]
        await self._change([*removed, _added(index, alias, is_filtered=True)])

    async def _change(self, actions: Sequence[Mapping[str, object]]) -> None:
        await self._ask("POST", "/_aliases", {"actions": actions})

    async def _ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, but: str = ""
    ) -> object | None:
        """What it says; None: there is nothing of the name, or the failure is `but`."""
        encoded = b"" if body is None else _ENCODER.encode(body)
        answer = await self._cluster.call(method, path, body=encoded)
        if answer.status == HTTPStatus.OK:
            return answer.body
        failure = failure_of(answer.status, answer.body)
        if answer.status == HTTPStatus.NOT_FOUND or failure.type == but:
            return None
        if answer.status in _REFUSED:
            raise SettingsError(str(unavailable(answer.status, failure)))
        raise unavailable(answer.status, failure)


def _added(index: str, alias: str, *, is_filtered: bool) -> Mapping[str, object]:
    action: dict[str, object] = {"index": index, "alias": alias}
    if is_filtered:
        action["filter"] = READERS_FILTER
    return {"add": action}
