"""OpenSearch indexes as they are: looked at by the alias that readers use, and made where there is none."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from consumer.errors import SettingsError
from consumer.pod.targets.checks import Findings
from consumer.settings.context import IndexFacts
from consumer.settings.model import Processor, Projection
from consumer.settings.stores import OpenSearchIndex
from consumer.stores.opensearch.catalog import Catalog, FoundIndex
from consumer.stores.opensearch.index import write_alias
from consumer.stores.opensearch.layout import (
    READERS_FILTER,
    differences,
    first_index,
    index_body,
    made_for,
    mappings,
    mistakes,
)


@dataclass(frozen=True, slots=True)
class IndexTarget:
    """One projection's.

    Attributes:
        where: the setting's path, which begins each sentence about it.
        owner: `application/processor`, which the index is to name as the one that it was made for.
        starts_here: changes from here on are enough.
    """

    where: str
    owner: str
    projection: Projection
    store: OpenSearchIndex
    starts_here: bool


def index_target(application: str, processor: Processor) -> IndexTarget | None:
    """A processor's; None where it writes to another store."""
    projection = processor.projection
    if projection is None or projection.store.opensearch is None:
        return None
    where = f"processors.{processor.name}.projection.store.opensearch"
    owner = f"{application}/{processor.name}"
    return IndexTarget(where, owner, projection, projection.store.opensearch, processor.start_here)


async def look_at_index(target: IndexTarget, catalog: Catalog, findings: Findings) -> IndexFacts | None:
    """What a read model is, or will be once it is made; None, and a problem told, where it can't be used.

    Raises:
        Unavailable: OpenSearch can't be asked now.
    """
    store, projection = target.store, target.projection
    names = {**projection.key, **(projection.fields or {"item": ""})}
    told = [f"{target.where}: {mistake}" for mistake in mistakes(store, names)]
    try:
        await catalog.see_what_it_is()
        found = await catalog.find(store.index)
        index = next(iter(found), first_index(store.index))
        if found:
            told += _problems_of_alias(target, found)
        else:
            found = await catalog.find(index)
        if index in found:
            told += _problems_of_index(target, index, found[index])
    except SettingsError as error:
        told.append(f"{target.where}: {error}")
    if told:
        findings.problems += told
        return None
    return IndexFacts(index=index, alias=store.index)


async def make_index(
    target: IndexTarget, catalog: Catalog, facts: IndexFacts, *, has_run: bool = False
) -> None:
    """Make what is missing of a read model that was looked at: its index, fields, or aliases.

    `has_run`: the application has settled changes, so that an index that is new lacks them.

    Raises:
        SettingsError: it lacks them, or OpenSearch refuses it, with its reason.
        Unavailable: it can't be done now.
    """
    index, store = facts.index, target.store
    if has_run and not target.starts_here and not await catalog.find(index):
        raise SettingsError(
            f"{target.where}: there is no index {index!r}, but the application has run: what it has settled"
            " would not be in a new one. Is the address another cluster's? Set it back, or restore the index;"
            " or set `start_here: true`, if changes from here on are enough"
        )
    try:
        await catalog.create(index, index_body(store, target.owner, index))
        await catalog.add_fields(index, mappings(store, target.owner))
        aliases = (await catalog.find(index)).get(index, FoundIndex()).aliases
        if store.index not in aliases:
            await catalog.add_alias(index, store.index, is_filtered=True)
        if write_alias(index) not in aliases:
            await catalog.add_alias(index, write_alias(index), is_filtered=False)
    except SettingsError as error:
        message = (
            f"{target.where}: index {index!r}: {error}; correct `mappings` or `settings`, or rebuild the read"
            " model into a new index"
        )
        raise SettingsError(message) from error


def _problems_of_alias(target: IndexTarget, found: Mapping[str, FoundIndex]) -> Iterator[str]:
    alias = target.store.index
    if alias in found:
        yield (
            f"{target.where}: {alias!r} is an index, and has to be an alias, through which readers see no"
            " tombstones; name another"
        )
    elif len(found) > 1:
        names = ", ".join(sorted(found))
        yield (
            f"{target.where}: alias {alias!r} leads to {len(found)} indexes ({names}); take it off all but"
            " the one that is to be written"
        )
    elif any(index.aliases[alias].filter != READERS_FILTER for index in found.values()):
        yield (
            f"{target.where}: alias {alias!r} lacks the filter that keeps tombstones from readers; give it"
            f" {json.dumps(READERS_FILTER)}, or name another"
        )


def _problems_of_index(target: IndexTarget, index: str, found: FoundIndex) -> Iterator[str]:
    owner = made_for(found.mappings)
    if owner is None and not target.projection.adopt:
        yield (
            f"{target.where}: index {index!r} was not made by Tidemark; name another, or set `adopt: true` to"
            " write among its documents and over those of equal ids"
        )
    if owner not in (None, target.owner) and not (target.projection.adopt or target.starts_here):
        yield (
            f"{target.where}: index {index!r} was made for {owner}, and two processors that write to one"
            " index undo each other's work; name another, or set `adopt: true`, if that one writes to it no"
            " more"
        )
    for difference in differences(mappings(target.store, target.owner), found.mappings):
        yield (
            f"{target.where}: index {index!r} does not fit the mappings: {difference}; give back the type it"
            " has, or rebuild the read model into a new index"
        )
