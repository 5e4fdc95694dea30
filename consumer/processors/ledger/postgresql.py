"""A ledger's PostgreSQL table: entries are locked in order, and written together with their effect.

item     text PRIMARY KEY COLLATE "C"   the source item's identity, or a digest of one no index could take
v        bigint                         the version, in microseconds; NULL: nothing is known of the item yet
p        text                           its clock: us, ms, s
d        text                           the source image's digest; `-` for none
n        bigint                         how often the entry was written
holds    jsonb                          by the text of a row's or a group's key: what the item has there
expires  timestamptz                    of tombstones alone

The row of the item '' says whose ledger it is: {"application", "processor", "fingerprint"}.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import blake2b
from typing import cast

import orjson

from consumer.errors import Unavailable
from consumer.processors.gate import CODES, GRANULARITIES, LATE_SECONDS, Stamp
from consumer.processors.ledger.entry import Entry, Held, entry_key
from consumer.processors.ledger.sql_table import ledger_of
from consumer.record import Version
from consumer.stores.postgresql.connecting import Row, Statement
from consumer.stores.postgresql.database import Database, Session
from consumer.stores.postgresql.names import quoted_table

PURGE_SECONDS = 60.0
PURGED_AT_ONCE = 1_000


def sql_key(item: str) -> str:
    """The entry's key, which is also what the item's rows name as their owner; PostgreSQL takes no NUL."""
    if "\0" in item:
        return f"digest:{blake2b(item.encode(), digest_size=32).hexdigest()}"
    return entry_key(item)


class SqlLedger:
    """The entries of one processor's items."""

    def __init__(
        self, table: str, fingerprint: str, *, tombstone_seconds: float, clock: Callable[[], float]
    ) -> None:
        """Take what statements are made of.

        Args:
            table: whose ledger it is, as in the settings.
            fingerprint: of the processor's settings, as the ledger has it.
            tombstone_seconds: how long a change is kept where it may come from; a tombstone outlives that.
            clock: Unix seconds.
        """
        self._table = ledger_of(table)
        self._fingerprint = fingerprint
        self._lasts = tombstone_seconds + LATE_SECONDS
        self._clock = clock
        self._purge_at = clock() + PURGE_SECONDS
        name = quoted_table(self._table)
        self._whose = f"SELECT holds ->> 'fingerprint' FROM {name} WHERE item = ''"
        # One JSON text is much less work for psycopg than an array of many.
        keys = "json_array_elements_text($1::json)"
        self._insert = f"INSERT INTO {name} (item) SELECT {keys} ON CONFLICT DO NOTHING"
        self._lock = (
            f"SELECT item, v, p, d, n, holds::text FROM {name} WHERE item = ANY(ARRAY(SELECT {keys}))"
            " ORDER BY item FOR UPDATE"
        )
        self._write = (
            f"UPDATE {name} AS held"
            " SET (v, p, d, n, holds, expires) = (x.v, x.p, x.d, x.n, x.holds, x.expires)"
            f" FROM json_populate_recordset(NULL::{name}, $1::json) AS x WHERE held.item = x.item"
        )
        self._forget = f"DELETE FROM {name} WHERE item = ANY($1::text[])"
        self._purge = (
            f"DELETE FROM {name} WHERE item IN (SELECT item FROM {name} WHERE expires < to_timestamp($1)"
            f" ORDER BY expires LIMIT {PURGED_AT_ONCE} FOR UPDATE SKIP LOCKED) RETURNING 1"
        )

    async def lock(self, session: Session, keys: Iterable[str]) -> dict[str, Entry | None]:
        """Lock the entries of items until the transaction ends, and read them; None: there is none.

        Always in the order of their keys, so that no two transactions wait for each other.

        Raises:
            Unavailable: the ledger is another processor's, or one of other settings; or an entry was purged
                at this very moment.
        """
        ordered = sorted(keys)
        parameter = (orjson.dumps(ordered).decode(),)
        whose, _, rows = await session.run(
            Statement(self._whose), Statement(self._insert, parameter), Statement(self._lock, parameter)
        )
        self._see_that_it_is_ours(whose)
        if len(rows) != len(ordered):
            message = f"an entry of {self._table!r} was purged while it was about to be read"
            raise Unavailable(message, code="EntryWent", of_item=True)
        return dict(map(_entry, rows))

    def _see_that_it_is_ours(self, whose: Sequence[Row]) -> None:
        if not whose:
            message = (
                f"the ledger {self._table!r} is empty: was it made anew since the start? start the pod again"
            )
            raise Unavailable(message, code="LedgerLost")
        if whose[0][0] != self._fingerprint:
            message = (
                f"the ledger {self._table!r} is by now of a processor with other settings; this pod has the"
                " old ones, and writes nothing"
            )
            raise Unavailable(message, code="SettingsDiffer")

    def write(self, entries: Mapping[str, Entry]) -> Statement:
        """Write locked entries, by their keys."""
        now = self._clock()
        rows = [_to_json(key, entry, now + self._lasts) for key, entry in entries.items()]
        return Statement(self._write, (orjson.dumps(rows).decode(),))

    def forget(self, keys: Sequence[str]) -> Statement:
        """Take back what locking has inserted for items of which nothing came to be known."""
        return Statement(self._forget, (list(keys),))

    async def purge_if_due(self, database: Database) -> None:
        """Now and then, take away some entries of items that have been gone for so long.

        Nothing rests on it: where it can't be done now, it is done another time. Where there are more, it is
        due again at once: nobody knows how fast items are deleted.
        """
        now = self._clock()
        if now < self._purge_at:
            return
        self._purge_at = now + PURGE_SECONDS
        with suppress(Unavailable):
            (gone,) = await database.transaction(lambda session: session.run(Statement(self._purge, (now,))))
            if len(gone) == PURGED_AT_ONCE:
                self._purge_at = now


def _entry(row: Row) -> tuple[str, Entry | None]:
    key, micros, clock, digest, rounds, holds = cast("tuple[str, int | None, str, str, int, str]", row)
    if micros is None:
        return key, None
    stamp = Stamp(Version(micros, GRANULARITIES[clock]), digest, rounds)
    return key, Entry(stamp, cast("Mapping[str, Held]", orjson.loads(holds)))


def _to_json(key: str, entry: Entry, expires: float) -> dict[str, object]:
    version, digest, rounds = entry.stamp
    return {
        "item": key,
        "v": version.micros,
        "p": CODES[version.granularity],
        "d": digest,
        "n": rounds,
        "holds": entry.holds,
        "expires": datetime.fromtimestamp(expires, UTC) if entry.is_tombstone else None,
    }
