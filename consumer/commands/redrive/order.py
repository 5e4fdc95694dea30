"""What somebody asked for, and which processors a letter is for by that."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from consumer.commands.redrive.deliver import Target
from consumer.commands.redrive.reading import Letter, Stays
from consumer.commands.redrive.source import BATCH
from consumer.shard.deadletter.letter import KeptLetter


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody asked for.

    Attributes:
        table: the source table.
        only: the one processor whose letters are meant; None: all.
        out_of_order: events too, though they come late.
        limit: most letters to take.
    """

    table: str
    only: str | None = None
    out_of_order: bool = False
    limit: int | None = None

    def most(self, taken: int) -> int:
        """How many letters to take next, after so many."""
        return BATCH if self.limit is None else min(BATCH, self.limit - taken)


class Assignment:
    """Says which processors a letter is for."""

    def __init__(self, order: Order, targets: Mapping[str, Target]) -> None:
        self._order = order
        self._targets = targets

    def is_passed_over(self, kept: KeptLetter | None) -> bool:
        """Whether it is another processor's than the one asked for."""
        only = self._order.only
        return only is not None and kept is not None and kept.processor not in (None, only)

    def targets_of(self, letter: Letter) -> list[Target] | Stays:
        """The processors it goes through, or why it stays; none: its change is another table's."""
        name, table = letter.kept.processor, letter.change.table
        if table != self._order.table:
            if name is None:
                return []
            message = f"a change of table {table!r}; the settings' source is {self._order.table!r}"
            return _stays(letter, "OtherTable", message)
        if name is not None and name not in self._targets:
            message = f"the settings have no processor {name!r}; redrive it with settings that do"
            return _stays(letter, "NoSuchProcessor", message)
        chosen = list(self._targets.values()) if name is None else [self._targets[name]]
        if name is None and self._order.only is not None:
            chosen = [self._targets[self._order.only]]
        events = [target.name for target in chosen if not target.keeps_state]
        if events and not self._order.out_of_order:
            message = (
                f"{', '.join(events)} sends events, and this one comes later than its item's other changes;"
                " say --out-of-order, if its receivers bear that"
            )
            return _stays(letter, "OutOfOrder", message)
        return chosen

    def has_all(self, names: Iterable[str]) -> bool:
        """Whether these are all processors there are."""
        return set(names) in (set(), set(self._targets))


def _stays(letter: Letter, code: str, message: str) -> Stays:
    return Stays(letter.found, code, message, letter.kept)
