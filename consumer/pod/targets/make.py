"""What is missing of the targets, made at the start: the other place that knows every kind of store."""

from collections.abc import Mapping

from consumer.pod.targets.dynamodb import make_ledger
from consumer.pod.targets.indexes import index_target, make_index
from consumer.pod.targets.ledgers import NO_PAST, Ledger, Past, owner_of
from consumer.pod.targets.postgresql import sql_target
from consumer.settings.context import IndexFacts, SqlFacts, TableFacts, Target
from consumer.settings.model import Settings
from consumer.stores.opened import Stores
from consumer.stores.opensearch.catalog import Catalog


async def make_targets(
    settings: Settings,
    stores: Stores,
    source: TableFacts,
    targets: Mapping[str, Target],
    *,
    has_run: bool = False,
    past: Past = NO_PAST,
) -> None:
    """Make what was looked at and is not there yet; what is there stays.

    Args:
        settings: the file's.
        stores: through which it is made.
        source: the source table.
        targets: what was found, by processor name.
        has_run: the application has settled changes, which a target that is new lacks.
        past: what else the application's own tables tell.

    Raises:
        SettingsError: a store refuses it, with its reason.
        Unavailable: a store can't do it now; all of it may be done again.
    """
    for processor in settings.processors:
        facts, index = targets.get(processor.name), index_target(settings.application, processor)
        if index is not None and isinstance(facts, IndexFacts):
            await make_index(index, Catalog(stores.opensearch(index.store)), facts, has_run=has_run)
        if isinstance(facts, TableFacts) and facts.ledger is not None:
            lacks_changes = has_run and not processor.start_here
            dynamodb = stores.aws.client("dynamodb", facts.region)
            await make_ledger(dynamodb, facts.ledger, has_run=lacks_changes)
            owner = owner_of(settings.application, processor, facts)
            await Ledger(dynamodb, facts.ledger).keep(owner, past, starts_here=processor.start_here)
        table = sql_target(settings.application, processor, source)
        if table is not None and isinstance(facts, SqlFacts):
            await table.make(stores.postgresql(table.store), has_run=has_run)
