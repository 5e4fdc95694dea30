"""What is missing of the targets, made at the start: the other place that knows every kind of store."""

from collections.abc import Mapping

from consumer.pod.targets.indexes import index_target, make_index
from consumer.settings.context import IndexFacts, Target
from consumer.settings.model import Settings
from consumer.stores.opened import Stores
from consumer.stores.opensearch.catalog import Catalog


async def make_targets(settings: Settings, stores: Stores, targets: Mapping[str, Target]) -> None:
    """Make what was looked at and is not there yet; what is there stays.

    Raises:
        SettingsError: a store refuses it, with its reason.
        Unavailable: a store can't do it now; all of it may be done again.
    """
    for processor in settings.processors:
        facts, index = targets.get(processor.name), index_target(settings.application, processor)
        if index is not None and isinstance(facts, IndexFacts):
            await make_index(index, Catalog(stores.opensearch(index.store)), facts)
