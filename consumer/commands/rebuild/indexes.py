"""The rebuild's target in OpenSearch: an index of its own, without the alias that readers use.

OpenSearch's own pages used: Get settings, Count.
"""

from http import HTTPStatus
from typing import TypeVar

import msgspec

from checkpoint.rebuilds import Rebuilds
from consumer.commands.rebuild.own import see_that_it_is_own
from consumer.commands.rebuild.plan import RebuildPlan
from consumer.pod.targets.indexes import IndexTarget, make_index
from consumer.settings.context import IndexFacts
from consumer.stores.opensearch.answers import failure_of, unavailable
from consumer.stores.opensearch.catalog import Catalog
from consumer.stores.opensearch.cluster import Answer, Cluster
from consumer.stores.opensearch.layout import first_index

_T = TypeVar("_T")


class _Index(msgspec.Struct):
    uuid: str


class _Settings(msgspec.Struct):
    index: _Index


class _Found(msgspec.Struct):
    settings: _Settings


class _Count(msgspec.Struct):
    count: int


def index_of(plan: RebuildPlan) -> str:
    """The index behind the new alias."""
    return first_index(plan.into)


async def make_new_index(
    cluster: Cluster, plan: RebuildPlan, target: IndexTarget, rebuilds: Rebuilds
) -> None:
    """Make the new index where there is none, and see that it is empty or this rebuild's own.

    Raises:
        SettingsError: OpenSearch refuses it, or what stands there is another's.
        Unavailable: not now.
    """
    index = index_of(plan)
    await make_index(target, Catalog(cluster), IndexFacts(index=index, alias=plan.into))
    found = as_form(dict[str, _Found], await cluster.call("GET", f"/{index}/_settings"))

    async def is_empty() -> bool:
        return as_form(_Count, await cluster.call("GET", f"/{index}/_count")).count == 0

    await see_that_it_is_own(plan, rebuilds, found[index].settings.index.uuid, is_empty)


def as_form(form: type[_T], answer: Answer) -> _T:
    """A success's body in a form; raises Unavailable for any other answer."""
    if answer.status != HTTPStatus.OK:
        raise unavailable(answer.status, failure_of(answer.status, answer.body))
    return msgspec.convert(answer.body, form)
