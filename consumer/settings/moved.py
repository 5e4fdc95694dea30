"""A processor whose target stands under another name: a rebuild's, or one it was cut over to. Pure."""

from consumer.settings.model import Processor, Settings


def target_name(processor: Processor) -> str:
    """The name of the table or index that the settings give."""
    store = processor.store
    if store.dynamodb is not None:
        return store.dynamodb.table
    if store.postgresql is not None:
        return store.postgresql.table
    return processor.projection.store.opensearch.index  # type: ignore[union-attr]  # the one that is left


def moved(processor: Processor, name: str, ledger: str | None = None) -> Processor:
    """The processor with another target of the same store.

    Args:
        processor: as in the settings.
        name: the table's or index's.
        ledger: a DynamoDB table's; None: the one that goes by the table's own name.
    """
    kind = processor.projection or processor.aggregate
    store = processor.store
    update: dict[str, object] = {"index" if store.kind == "opensearch" else "table": name}
    if store.dynamodb is not None:
        update["ledger"] = ledger
    home = getattr(store, store.kind).model_copy(update=update)
    moved_store = store.model_copy(update={store.kind: home})
    return processor.model_copy(update={processor.kind: kind.model_copy(update={"store": moved_store})})  # type: ignore[union-attr]  # a processor has a kind


def with_processors(settings: Settings, processors: list[Processor]) -> Settings:
    """The settings with these processors in the place of theirs."""
    return settings.model_copy(update={"processors": tuple(processors)})
