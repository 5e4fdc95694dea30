"""Settings of an aggregate -> what is to be counted of an item, for an image of it."""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from consumer.attributes import NO_IMAGE_DIGEST, Plain, decode_image, digest
from consumer.errors import Rejected
from consumer.processors.aggregate.sums import Sums, added, is_in_range, out_of_range, sum_text
from consumer.processors.gate import Stamp
from consumer.processors.keys import check_key_value, key_text
from consumer.processors.scope import Membership, Scope, Value, new_image
from consumer.record import ChangeRecord, Image
from consumer.settings.model import Aggregate

_EXPIRED = "~"
"""Begins the digest of what an expiry left counted; behind it is the digest of the image that expired."""


class Counted(NamedTuple):
    """What the target should count of an item after a change.

    Attributes:
        digest: of the source image that is counted; `-` for none; of what an expiry leaves, one of its own.
        sums: what is counted.
        is_gone: the source was read and has no such item, and an expiry may have been what took it away.
    """

    digest: str
    sums: Sums
    is_gone: bool = False


def is_kept(digest: str) -> bool:
    """Whether a ledger entry of this digest is what an expiry left: the item is gone, and stays counted."""
    return digest.startswith(_EXPIRED)


def settles_to(over: Stamp, desired: Counted, held: Sums) -> Counted:
    """What a tie ends with: what an expiry left stays, where all that is known is that the item is gone."""
    return Counted(over.digest, held) if desired.is_gone and is_kept(over.digest) else desired


class AggregateMapping:
    """The pure part of an aggregate; compiled once."""

    def __init__(self, settings: Aggregate) -> None:
        """Compile the expressions.

        Raises:
            SettingsError: an expression is wrong.
        """
        self._group = {name: Value(text) for name, text in settings.group_by.items()}
        self._add = {name: Value(text) for name, text in settings.add.items()}
        self._membership = Membership(settings.when)
        self._for_each = None if settings.for_each is None else Value(settings.for_each)
        self._keeps_expired = settings.on_expiry == "keep"

    def after(self, change: ChangeRecord) -> Counted | None:
        """What is to be counted after a change; None: the item was outside before and is outside now.

        Raises:
            Rejected: an image or a value that can't be counted.
        """
        if self._keeps_expired and change.is_expiry:
            return self._expired(change)
        image = new_image(change)
        if image is not None and not self._membership.holds(change.keys, image):
            image = None
        if image is None and self._membership.was_outside(change):
            return None
        return self._counted(change, image)

    def holding(self, change: ChangeRecord, image: Image | None) -> Counted:
        """What is to be counted while the change's item is `image` (None: it doesn't exist).

        Raises:
            Rejected: an image or a value that can't be counted.
        """
        if image is None and self._keeps_expired:
            expired = self._expired(change) if change.is_expiry else None
            return expired or Counted(NO_IMAGE_DIGEST, {}, is_gone=True)
        if image is not None and not self._membership.holds(change.keys, image):
            image = None
        return self._counted(change, image)

    def _expired(self, change: ChangeRecord) -> Counted | None:
        """What the old image counted; so it makes no difference whether that was counted yet."""
        if not change.old_image:
            message = "the expiry carries no old image, so nobody knows what is to be kept"
            raise Rejected(message, code="NoImage")
        image = decode_image(change.old_image)
        if not self._membership.holds(change.keys, image):
            return None
        counted = self._counted(change, image)
        return Counted(_EXPIRED + counted.digest if counted.sums else NO_IMAGE_DIGEST, counted.sums)

    def _counted(self, change: ChangeRecord, image: Image | None) -> Counted:
        if image is None:
            return Counted(NO_IMAGE_DIGEST, {})
        image_digest = digest(image)  # first: it finds what is malformed anywhere in the image
        sums = added(self._parts(Scope(change.keys, image)))
        for group, named in sums.items():
            for name, number in named.items():
                if not is_in_range(number):
                    raise out_of_range(name, group, sum_text(number))
        return Counted(image_digest, sums)

    def _parts(self, scope: Scope) -> Iterator[tuple[str, str, Decimal]]:
        for each in (scope,) if self._for_each is None else scope.elements(self._for_each):
            group = key_text(
                [check_key_value(name, value.text, value(each)) for name, value in self._group.items()]
            )
            for name, value in self._add.items():
                yield group, name, _number(name, value.text, value.plain(each))


def _number(name: str, expression: str, value: Plain | int) -> Decimal:
    if value is None:
        return Decimal()
    if isinstance(value, bool) or not isinstance(value, (Decimal, int)) or not Decimal(value).is_finite():
        message = f"the sum {name} takes numbers; `{expression}` gives {_words(value)} in this item"
        raise Rejected(message, code="NotANumber")
    return Decimal(value)


def _words(value: Plain | int) -> str:
    for kind, words in _KINDS:
        if isinstance(value, kind):
            return words
    return str(value)


_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (str, "a text"),
    (bytes, "binary"),
    (list, "a list"),
    (dict, "a map"),
)
