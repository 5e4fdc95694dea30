"""Time to live: expired items are deleted soon, and their deletion is told as AWS tells it.

The gap: ministack looks once a minute and deletes without a record. AWS ("Time to Live", "DynamoDB Streams
and Time to Live"): items expire by a Number of epoch seconds, unless it is more than five years past; the
record is a REMOVE with a userIdentity of type Service and principalId dynamodb.amazonaws.com. AWS may take
days, this takes the reaper's interval. A ministack that tells of expiry lets this go.
"""

import asyncio
import contextvars
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.emulator import Emulator

USER_IDENTITY = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}  # DynamoDB Streams' spelling
FIVE_YEARS_SECONDS = 5 * 365 * 24 * 3600
ITEMS_PER_TURN = 1000  # looked at before others get their turn


@dataclass(frozen=True, slots=True)
class Reaper:
    """Deletes expired items. `clock` is seconds of the wall clock; `settings` are ministack's, by table."""

    emulator: Emulator
    clock: Callable[[], float]
    settings: Any  # a dictionary of ministack's, which has no types
    expiring: contextvars.ContextVar[bool]

    async def run(self, interval_seconds: float) -> None:
        """Look for expired items for ever, this often."""
        while True:
            await asyncio.sleep(interval_seconds)
            await self.sweep()

    async def sweep(self) -> None:
        """Delete what has expired in all tables."""
        for (account, region, table_name), setting in self.settings.everything():
            if setting.get("TimeToLiveStatus") == "ENABLED":
                with self.emulator.scope(account, region):
                    await self._sweep_table(table_name, setting["AttributeName"])

    async def _sweep_table(self, table_name: str, attribute: str) -> None:
        table = self.emulator.dynamodb["_tables"].get(table_name)
        if table is None:
            return
        keys = [(partition, sort) for partition, items in table["items"].items() for sort in items]
        for looked_at, (partition, sort) in enumerate(keys, start=1):
            item = table["items"].get(partition, {}).get(sort)
            if item is not None and self._has_expired(item, attribute):
                self._delete(table_name, table, partition, sort, item)
            if looked_at % ITEMS_PER_TURN == 0:
                await asyncio.sleep(0)

    def _has_expired(self, item: Mapping[str, Mapping[str, str]], attribute: str) -> bool:
        value = item.get(attribute, {}).get("N")
        age = self.clock() - float(value) if value is not None else -1.0
        return 0 <= age <= FIVE_YEARS_SECONDS

    def _delete(
        self, name: str, table: object, partition: object, sort: object, item: Mapping[str, object]
    ) -> None:
        dynamodb = self.emulator.dynamodb
        dynamodb["_remove_item"](table, partition, sort)
        token = self.expiring.set(True)
        try:
            dynamodb["_emit_stream_event"](name, "REMOVE", item, None)
        finally:
            self.expiring.reset(token)


def apply(emulator: Emulator, clock: Callable[[], float]) -> Reaper:
    """Put ministack's reaper out of work and mark the records of expired items. Returns ours, to be run."""
    dynamodb = emulator.dynamodb
    expiring = contextvars.ContextVar("expiring", default=False)
    build = dynamodb["_build_change_record"]

    def build_change_record(*arguments: object) -> dict[str, object]:
        record: dict[str, object] = build(*arguments)
        if expiring.get():
            record["userIdentity"] = USER_IDENTITY
        return record

    scoped = emulator.responses["AccountRegionScopedDict"]

    class Settings(scoped):  # type: ignore[misc, valid-type]  # ministack has no types
        """ministack's own settings, of which its reaper, a thread that can't be stopped, finds none."""

        __slots__ = ()

        def all_items(self) -> list[object]:
            return []

        def everything(self) -> list[object]:
            return list(self._data.items())

    settings = Settings()
    dynamodb["_ttl_settings"] = settings
    dynamodb["_build_change_record"] = build_change_record
    return Reaper(emulator, clock, settings, expiring)
