"""Every processor's target as it is: the one place that knows every kind of store."""

import asyncio

from consumer.errors import SettingsError, Unavailable
from consumer.pod.targets.checks import Findings, check_expiry, check_homes, check_ledgers
from consumer.pod.targets.dynamodb import look_at_dynamodb
from consumer.pod.targets.indexes import IndexTarget, index_target, look_at_index
from consumer.pod.targets.ledgers import NO_PAST, Past
from consumer.pod.targets.postgresql import look_at_sql, sql_target
from consumer.settings.context import IndexFacts, TableFacts, Target
from consumer.settings.model import Processor, Settings
from consumer.stores.opened import Stores
from consumer.stores.opensearch.catalog import Catalog


async def look_at_targets(
    settings: Settings,
    stores: Stores,
    region: str,
    source: TableFacts | None,
    findings: Findings,
    past: Past = NO_PAST,
) -> dict[str, Target]:
    """What is at each target, by processor name; what can't be used is a problem.

    Args:
        settings: the file's.
        stores: through which it is looked at.
        region: the application's.
        source: the source table; None where it can't be used itself.
        findings: where problems and warnings go.
        past: what the application's own tables tell of it.

    Raises:
        Unavailable: stores can't be asked now, all of which are named; unless there is a problem to be told.
    """
    application, processors = settings.application, settings.processors
    looks = [
        _look(processor, application, stores, region, source, findings, past) for processor in processors
    ]
    found: dict[str, Target] = {}
    away: dict[str, Unavailable] = {}
    for processor, seen in zip(processors, await asyncio.gather(*looks, return_exceptions=True), strict=True):
        if isinstance(seen, Unavailable):
            away[processor.name] = seen
        elif isinstance(seen, BaseException):
            raise seen
        elif seen is not None:
            found[processor.name] = seen
    if away and not findings.problems:
        named = (f"processors.{name}: {error}" for name, error in away.items())
        raise Unavailable("; ".join(named), code=next(iter(away.values())).code)
    for processor in processors:
        if source is not None:
            check_expiry(processor, source, findings)
    check_homes(processors, found, findings)
    check_ledgers(source, found, findings)
    return found


async def _look(
    processor: Processor,
    application: str,
    stores: Stores,
    region: str,
    source: TableFacts | None,
    findings: Findings,
    past: Past,
) -> Target | None:
    store = processor.store
    if store.dynamodb is not None:
        return await look_at_dynamodb(
            processor, store.dynamodb, stores, region, source, findings, application, past
        )
    index = index_target(application, processor)
    if index is not None:
        return await _opensearch(index, stores, findings)
    table = None if source is None else sql_target(application, processor, source)
    return None if table is None else await look_at_sql(table, stores, findings)


async def _opensearch(target: IndexTarget, stores: Stores, findings: Findings) -> IndexFacts | None:
    try:
        cluster = stores.opensearch(target.store)
    except SettingsError as error:
        findings.problems.append(f"{target.where}.{error}")
        return None
    return await look_at_index(target, Catalog(cluster), findings)
