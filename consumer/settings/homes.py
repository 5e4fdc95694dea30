"""Two processors in one place, as far as the settings tell; the rest, such as regions, AWS knows. Pure."""

from collections.abc import Iterator

from consumer.settings.document import Path
from consumer.settings.model import Processor, Settings
from consumer.settings.moved import target_name
from consumer.settings.stores import Store

Home = tuple[str, str | None, str]
"""A store's kind, where it is, and the table or index."""

_WORDS = {"dynamodb": "table", "postgresql": "PostgreSQL table", "opensearch": "OpenSearch index"}


def home_mistakes(settings: Settings) -> Iterator[tuple[Path, str]]:
    """Where in the settings a processor is to write where another one does, or over the source's items."""
    source: Home = ("dynamodb", None, settings.source.kinesis.table)
    owners: dict[Home, list[Processor]] = {}
    for index, processor in enumerate(settings.processors):
        home = _home(processor)
        path = ("processors", index, processor.kind, "store", processor.store.kind)
        name = (*path, "index" if processor.store.kind == "opensearch" else "table")
        if home == source:
            yield name, f"table {home[2]!r} is the source itself; name another table"
        for owner in owners.setdefault(home, []):
            if shares_rows(owner, processor):
                yield name, taken(owner, f"{_WORDS[home[0]]} {home[2]!r}")
                break
        owners[home].append(processor)
    yield from _ledgers(settings, {source, *owners})


def shares_rows(one: Processor, other: Processor) -> bool:
    """Whether two processors of one table undo what the other did.

    A row holds what one processor says of an item, and the gate lets each change in once. Sums of several
    aggregates may stand side by side in one DynamoDB table: each owns its own. A PostgreSQL table has one
    ledger, and that is one processor's.
    """
    if one.aggregate is None or other.aggregate is None or one.store.postgresql is not None:
        return True
    if one.ledger_name is not None and one.ledger_name == other.ledger_name:
        return True
    return bool(one.aggregate.add.keys() & other.aggregate.add.keys())


def taken(owner: Processor, home: str) -> str:
    """What is wrong where a processor would write to another one's home."""
    return (
        f"processor {owner.name!r} writes to {home} already, and each would undo what the other did; name"
        " another"
    )


def store_of(processor: Processor) -> str:
    """What tells the processor's store from others: its kind, and where it is as far as the settings say."""
    kind, where, _ = _home(processor)
    return kind if where is None else f"{kind} {where}"


def _home(processor: Processor) -> Home:
    store = processor.store
    if store.dynamodb is not None:
        where = store.dynamodb.region
    elif store.postgresql is not None:
        where = store.postgresql.url or store.postgresql.url_env
    else:
        index = store.opensearch if isinstance(store, Store) else None
        where = None if index is None else index.url or index.url_env
    return (store.kind, where, target_name(processor))


def _ledgers(settings: Settings, taken_homes: set[Home]) -> Iterator[tuple[Path, str]]:
    """Ledgers that are surely there: a projection's own is where its rows move, which its mapping tells."""
    homes = set(taken_homes)
    for index, processor in enumerate(settings.processors):
        table, name = processor.store.dynamodb, processor.ledger_name
        if table is None or name is None or (processor.aggregate is None and table.ledger is None):
            continue
        home: Home = ("dynamodb", table.region, name)
        if home in homes:
            message = (
                f"its ledger would be table {name!r}, which is a processor's target or ledger or the source"
                " already; set `ledger` to another name"
            )
            yield ("processors", index, processor.kind, "store", "dynamodb", "ledger"), message
        homes.add(home)
