"""DynamoDB tables that processors write to, and the ledgers beside them.

AWS API references used: DescribeTable, DescribeTimeToLive, CreateTable, UpdateTimeToLive (Amazon DynamoDB).
"""

from checkpoint.api import Api
from checkpoint.tables import TableSchema, ensure_table
from consumer.errors import SettingsError
from consumer.pod.targets.checks import Findings, check_ledger, check_target
from consumer.pod.targets.ledgers import Ledger, Past, owner_of
from consumer.pod.targets.tables import look_at_table
from consumer.processors.ledger.entry import EXPIRES, KEY
from consumer.processors.projection.plan import needs_ledger
from consumer.settings.context import TableFacts
from consumer.settings.model import Processor
from consumer.settings.stores import DynamoDBTable
from consumer.stores.opened import Stores

_DENIED = "AccessDeniedException"
_INVALID = "ValidationException"


async def look_at_dynamodb(
    processor: Processor,
    table: DynamoDBTable,
    stores: Stores,
    region: str,
    source: TableFacts | None,
    findings: Findings,
    application: str,
    past: Past,
) -> TableFacts | None:
    """What the table is, and its ledger's name if it takes one; None where it can't be used."""
    home = table.region or region
    where = f"processors.{processor.name}.{processor.kind}.store"
    dynamodb = stores.aws.client("dynamodb", home)
    target = await look_at_table(dynamodb, table.table, home, where, findings)
    if target is None:
        return None
    name = _ledger_of(processor)
    if name is not None:
        target = target.model_copy(update={"ledger": name})
        ledger = await look_at_table(dynamodb, name, home, where, findings, is_made=True)
        if ledger is not None:
            check_ledger(where, ledger, (KEY, EXPIRES), findings)
        if ledger is not None and ledger.keys == (KEY,):
            owner = owner_of(application, processor, target)
            problem = await Ledger(dynamodb, name).problem(owner, past, starts_here=processor.start_here)
            findings.problems += [] if problem is None else [f"{where}.dynamodb.ledger: {problem}"]
    if source is not None:
        check_target(processor, source, target, findings)
    return target


def _ledger_of(processor: Processor) -> str | None:
    if processor.projection is not None and not needs_ledger(processor.projection):
        return None
    return processor.ledger_name


async def make_ledger(dynamodb: Api, name: str, *, has_run: bool = False) -> None:
    """Make a ledger that is not there, with its TTL, and wait until it can be written to.

    `has_run`: the application has settled changes, of which a ledger that is new knows nothing.

    Raises:
        SettingsError: it lacks them, or its TTL can't be enabled.
        TableNotReadyError: it was not ACTIVE in time.
        Unavailable: AWS can't be asked now.
    """
    if has_run and not await _is_there(dynamodb, name):
        raise SettingsError(
            f"ledger table {name!r} is not there, but the application has run: a new one would not know which"
            " rows items have, or what is counted of them already; restore it, or set `start_here: true`, if"
            " changes from here on are enough"
        )
    await ensure_table(dynamodb, TableSchema(name, KEY))
    if await _expires(dynamodb, name):
        return
    specification = {"Enabled": True, "AttributeName": EXPIRES}
    answer = await dynamodb.call(
        "UpdateTimeToLive",
        {"TableName": name, "TimeToLiveSpecification": specification},
        expect=(_DENIED, _INVALID),
    )
    # Pods that start together both find it disabled, and the second one is refused.
    if answer.error is not None and not await _expires(dynamodb, name):
        raise SettingsError(
            f"ledger table {name!r} can't be made to expire its tombstones: {answer.body.get('message')};"
            f" enable TTL on its attribute {EXPIRES!r}, or allow dynamodb:UpdateTimeToLive"
        )


async def _is_there(dynamodb: Api, name: str) -> bool:
    answer = await dynamodb.call("DescribeTable", {"TableName": name}, expect=("ResourceNotFoundException",))
    return answer.error is None


async def _expires(dynamodb: Api, name: str) -> bool:
    answer = await dynamodb.call("DescribeTimeToLive", {"TableName": name})
    status = answer.body.get("TimeToLiveDescription", {}).get("TimeToLiveStatus")
    return status in ("ENABLED", "ENABLING")
