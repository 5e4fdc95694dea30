"""What a processor's target must be like, held against the settings and the source. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from consumer.expressions import Expression
from consumer.settings.context import IndexFacts, SqlFacts, TableFacts, Target
from consumer.settings.homes import shares_rows, taken
from consumer.settings.model import Processor, Projection


@dataclass(slots=True)
class Findings:
    """What is wrong, and what works but not as well as it could; a sentence each."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check_target(processor: Processor, source: TableFacts, target: TableFacts, findings: Findings) -> None:
    """Its key is the source's, and its TTL is for tombstones alone."""
    where = f"processors.{processor.name}.{processor.kind}"
    if (target.name, target.region) == (source.name, source.region):
        findings.problems.append(
            f"{where}.store: table {target.name!r} is the source itself; name another table"
        )
        return
    setting, key = _key_of(processor)
    if set(key) != set(target.keys):
        findings.problems.append(
            f"{where}.{setting} names {_names(key)}, but the key of table {target.name!r} is"
            f" {_names(target.keys)}; name exactly these attributes"
        )
        return
    for name, text in key.items():
        _check_key_type(f"{where}.{setting}.{name}", text, source, target.key_types[name], findings)
    if processor.projection is not None:
        _check_ttl(where, processor.projection, source, target, findings)
    if processor.aggregate is not None and target.ttl_attribute is not None:
        findings.warnings.append(
            f"{where}.store: table {target.name!r} expires rows by {target.ttl_attribute!r}: a row that"
            " expires takes its sums along, and what its items count later is added to nothing; see that no"
            " group's row has that attribute"
        )


def check_expiry(processor: Processor, source: TableFacts, findings: Findings) -> None:
    """Whether an expired item still counts, only a person knows."""
    if processor.aggregate is None or processor.aggregate.on_expiry is not None:
        return
    if source.ttl_attribute is not None:
        findings.problems.append(
            f"processors.{processor.name}.aggregate.on_expiry is missing: table {source.name!r} expires its"
            f" items by {source.ttl_attribute!r}; say `remove` if an expired item is to count no longer, or"
            " `keep` if what it counted is to stay"
        )


def _key_of(processor: Processor) -> tuple[str, Mapping[str, str]]:
    """What the target's key is made of, and the setting's name."""
    if processor.aggregate is not None:
        return "group_by", processor.aggregate.group_by
    return "key", processor.projection.key if processor.projection is not None else {}


def _check_ttl(
    where: str, projection: Projection, source: TableFacts, target: TableFacts, findings: Findings
) -> None:
    ttl, fields = target.ttl_attribute, projection.fields
    store = f"{where}.store: table {target.name!r}"
    if ttl is None and target.ledger is None:
        findings.warnings.append(
            f"{store} has no TTL, so that the tombstones of deleted items stay for ever; enable TTL on an"
            " attribute that the rows don't use"
        )
    elif ttl in target.keys:
        findings.problems.append(
            f"{store} expires rows by {ttl!r}, which is part of its key: a tombstone would be another row"
            " than the one it stands for; enable TTL on another attribute"
        )
    elif ttl is not None and (ttl in (fields or ()) or (fields is None and ttl == source.ttl_attribute)):
        findings.warnings.append(
            f"{store} expires rows by {ttl!r}, which the rows have of their items: DynamoDB deletes a row"
            " once that time is over, whether or not its item is there; enable TTL on an attribute that the"
            " rows don't use"
        )


def check_homes(processors: Iterable[Processor], targets: Mapping[str, Target], findings: Findings) -> None:
    """No two processors write to one place, though the settings alone don't tell: see settings.homes."""
    owners: dict[str, list[Processor]] = {}
    for processor in processors:
        if processor.name not in targets:
            continue
        home = _home(processor, targets[processor.name])
        for owner in owners.setdefault(home, []):
            if shares_rows(owner, processor):
                findings.problems.append(f"processors.{processor.name}: {taken(owner, home)}")
                break
        owners[home].append(processor)


def check_ledger(where: str, ledger: TableFacts, form: tuple[str, str], findings: Findings) -> None:
    """A table that is there already is a ledger: `form` is its key, of type S, and its TTL attribute."""
    key, expires = form
    told = f"{where}.dynamodb.ledger: table {ledger.name!r}"
    if ledger.key_types != {key: "S"}:
        findings.problems.append(f"{told} is no ledger, whose one key is `{key}` of type S; name another")
    elif ledger.ttl_attribute not in (None, expires):
        findings.problems.append(
            f"{told} expires its entries by {ledger.ttl_attribute!r}; enable TTL on {expires!r} instead"
        )


def check_ledgers(source: TableFacts | None, targets: Mapping[str, Target], findings: Findings) -> None:
    """A ledger speaks of one processor's items, and no table is a ledger and something else."""
    tables = [source, *targets.values()]
    taken = {(table.name, table.region) for table in tables if isinstance(table, TableFacts)}
    for name, target in targets.items():
        if not isinstance(target, TableFacts) or target.ledger is None:
            continue
        ledger = (target.ledger, target.region)
        if ledger in taken:
            findings.problems.append(
                f"processors.{name}: its ledger would be table {target.ledger!r} in {target.region}, which is"
                " a processor's target or ledger or the source already; set `ledger` to another name"
            )
        taken.add(ledger)


def _home(processor: Processor, target: Target) -> str:
    match target:
        case TableFacts():
            return f"table {target.name!r} in {target.region}"
        case SqlFacts():
            store = processor.store.postgresql
            address = (store.url or store.url_env) if store is not None else None
            return f"PostgreSQL table {target.table!r}" + (f" of {address}" if address else "")
        case IndexFacts():
            return f"OpenSearch index {target.index!r}"


def _check_key_type(where: str, text: str, source: TableFacts, target_type: str, findings: Findings) -> None:
    path = Expression(text).path
    if path is None or path[0] != "keys":
        return  # its type is only known of each record
    attribute = path[-1]
    if attribute not in source.keys:
        findings.problems.append(
            f"{where}: `{text}` is no key attribute of table {source.name!r}; its key is"
            f" {_names(source.keys)}"
        )
    elif source.key_types[attribute] != target_type:
        findings.problems.append(
            f"{where}: `{text}` is of type {source.key_types[attribute]} in table {source.name!r}, but the"
            f" target's key attribute is of type {target_type}; make the target's the same"
        )


def _names(names: Mapping[str, object] | tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
