"""Our shard process as it ships, with a processor that does nothing: what all the rest of it costs."""

from collections.abc import Sequence

from consumer.processors.base import APPLIED, Outcome, ProcessorTools
from consumer.record import ChangeRecord
from consumer.settings.context import ShardContext
from consumer.settings.model import Processor as ProcessorSettings
from consumer.shard.__main__ import main
from consumer.stores.opened import Stores


class Noop:
    """Applies everything to nothing."""

    async def process(self, records: Sequence[ChangeRecord]) -> list[Outcome]:
        """Say that all is applied."""
        return [APPLIED] * len(records)


def _build(
    settings: ProcessorSettings,  # noqa: ARG001 - the maker's form
    context: ShardContext,  # noqa: ARG001 - the maker's form
    stores: Stores,  # noqa: ARG001 - the maker's form
    tools: ProcessorTools,  # noqa: ARG001 - the maker's form
) -> Noop:
    return Noop()


if __name__ == "__main__":
    main(_build)
