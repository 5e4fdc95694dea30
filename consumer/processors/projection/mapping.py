"""Settings of a projection -> what the read model should hold for an image of an item."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from consumer.attributes import NO_IMAGE_DIGEST, RESERVED, Plain, decode_image, digest, image_to_plain
from consumer.errors import Rejected, SettingsError
from consumer.processors.keys import check_key_value, key_text
from consumer.processors.scope import Event, Membership, Scope, Value, new_image
from consumer.record import AttributeValue, ChangeRecord, Image
from consumer.settings.base import WHOLE
from consumer.settings.model import Projection

Form = Literal["attributes", "plain"]
"""What a row's fields are: attribute values as they are, or plain values."""


class Row(NamedTuple):
    """A row: its key's attribute values by name, in the order of the settings, and its fields."""

    key: Image
    fields: Mapping[str, AttributeValue] | Mapping[str, Plain]

    @property
    def text(self) -> str:
        """The key as text, equal for equal keys."""
        return key_text(list(self.key.values()))


class Desired(NamedTuple):
    """What the target should hold of an item after a change.

    Attributes:
        digest: of the source image the rows come from; `-` for none.
        rows: a row, or one for each element; none where the item has no place.
        leaves: keys of rows that it may have had before and has no more; for targets without a ledger.
        spared: None: `leaves` is all that may have to go. Else an image before this one could not be mapped,
            so that the item may have rows still which only images before that tell of: whatever the target
            holds of the item has to go but for rows of these keys.
    """

    digest: str
    rows: tuple[Row, ...]
    leaves: tuple[Image, ...]
    spared: tuple[Image, ...] | None = None


class _Had(NamedTuple):
    """Keys of rows that an item's images have, by their text, and whether each image could be mapped."""

    keys: dict[str, Image]
    is_all: bool = True


class ProjectionMapping:
    """The pure part of a projection; compiled once."""

    def __init__(self, settings: Projection, *, form: Form = "attributes", has_ledger: bool = False) -> None:
        """Compile the expressions.

        Args:
            settings: the projection.
            form: what the target's rows are made of.
            has_ledger: the target knows what rows an item has, so that `leaves` isn't needed.

        Raises:
            SettingsError: an expression is wrong.
        """
        self._key = {name: Value(text) for name, text in settings.key.items()}
        fields = settings.fields
        self._fields = None if fields is None else {name: Value(text) for name, text in fields.items()}
        self._membership = Membership(settings.when)
        self._for_each = None if settings.for_each is None else Value(settings.for_each)
        self._form = form
        self._has_ledger = has_ledger
        self._is_fixed = self._for_each is None and all(map(_source_key, self._key.values()))
        values = (self._fields or {}).values()
        self._sees_change = any("old" in value.text or "event" in value.text for value in values)
        # A plain path leads somewhere or nowhere; only what is computed can find fault with an earlier image.
        computed = [value for value in values if value.path is None]
        self._computed = [value for value in computed if "old" not in value.roots]
        # What is computed of the one before that, too: nobody can tell any more whether it found fault.
        self._looks_back = len(self._computed) < len(computed)
        taken = {RESERVED, *self._key} & set(fields or {})
        if taken:
            message = f"fields: {min(taken)!r} is already part of the row; give the field another name"
            raise SettingsError(message)

    @property
    def is_fixed(self) -> bool:
        """Whether an item has one row at most, whose key is of the item's own keys."""
        return self._is_fixed

    @property
    def own_keys(self) -> frozenset[str]:
        """The parts of a row's key that are keys of its item, and so of the same type in every row."""
        return frozenset(name for name, value in self._key.items() if _source_key(value) is not None)

    def check_keys(self, source_keys: Sequence[str]) -> None:
        """See that no two items share a row by their very keys.

        Raises:
            SettingsError: each key is one of the item's own keys, and one of these is missing; or one that is
            named isn't a key of the source table.
        """
        used = {name for value in self._key.values() if (name := _source_key(value)) is not None}
        for name in source_keys:
            if self._is_fixed and name not in used:
                message = (
                    f"key: the source table's key attribute {name!r} is not in it, so that two items would "
                    f"share one row; add keys.{name}"
                )
                raise SettingsError(message)
        for name in sorted(used - set(source_keys)):
            message = (
                f"key: keys.{name} is not a key attribute of the source table; "
                f"it has {', '.join(source_keys)}"
            )
            raise SettingsError(message)

    def covers(self, source_keys: Sequence[str]) -> bool:
        """Whether a row's key has all of its item's keys in it, so that no other item can have it."""
        return set(source_keys) <= {_source_key(value) for value in self._key.values()}

    def after(self, change: ChangeRecord) -> Desired | None:
        """What the target should hold after a change; None: the item was outside before and is outside now.

        Raises:
            Rejected: an image or a value that can't be mapped.
        """
        image = new_image(change)
        if image is not None and not self._membership.holds(change.keys, image):
            image = None
        if image is None and self._membership.was_outside(change):
            return None
        old = decode_image(change.old_image) if self._sees_change and change.old_image else None
        event = Event(change.event_name, change.table, change.micros)
        desired = self._desired(image, Scope(change.keys, image, old, event))
        had = self._had(change, (change.old_image, *change.between))
        return self._with_leaves(desired, change, had)

    def holding(self, change: ChangeRecord, image: Image | None) -> Desired:
        """What the target should hold while the change's item is `image` (None: it doesn't exist).

        Without a ledger, of the rows that the change's own images have: another row is for the change that
        brought it, and if that is on its way still, a later one may have taken the row away again.

        Raises:
            Rejected: an image or a value that can't be mapped.
        """
        if image is not None and not self._membership.holds(change.keys, image):
            image = None
        desired = self._desired(
            image, Scope(change.keys, image, None, Event(None, change.table, change.micros))
        )
        had = self._had(change, (change.old_image, *change.between, change.new_image))
        desired = self._with_leaves(desired, change, had)
        if self._has_ledger or self._is_fixed:
            return desired
        return desired._replace(rows=tuple(row for row in desired.rows if row.text in had.keys))

    def _desired(self, image: Image | None, scope: Scope) -> Desired:
        if image is None:
            return Desired(NO_IMAGE_DIGEST, (), ())
        image_digest = digest(image)  # first: it finds what is malformed anywhere in the image
        if self._for_each is None:
            return Desired(image_digest, (self._row(scope, image),), ())
        rows = tuple(self._row(element, image) for element in scope.elements(self._for_each))
        _see_that_keys_differ([row.text for row in rows])
        return Desired(image_digest, rows, ())

    def _row(self, scope: Scope, image: Image) -> Row:
        key = self._key_of(scope)
        if self._fields is None:
            return Row(key, image if self._form == "attributes" else {WHOLE: image_to_plain(image)})
        if self._form == "plain":
            return Row(key, {name: field.plain(scope) for name, field in self._fields.items()})
        values = ((name, field(scope)) for name, field in self._fields.items())
        return Row(key, {name: value for name, value in values if value is not None})

    def _key_of(self, scope: Scope) -> Image:
        return {name: check_key_value(name, value.text, value(scope)) for name, value in self._key.items()}

    def _with_leaves(self, desired: Desired, change: ChangeRecord, had: _Had) -> Desired:
        if self._has_ledger:
            return desired
        if self._is_fixed:
            return (
                desired
                if desired.rows
                else desired._replace(leaves=(self._key_of(Scope(change.keys, None)),))
            )
        has = {row.text: row.key for row in desired.rows}
        leaves = tuple(key for text, key in had.keys.items() if text not in has)
        return desired._replace(leaves=leaves, spared=None if had.is_all else tuple(has.values()))

    def _had(self, change: ChangeRecord, images: Iterable[msgspec.Raw]) -> _Had:
        """The rows that images of the change's item have; none where nobody needs to know."""
        had: dict[str, Image] = {}
        if self._has_ledger or self._is_fixed:
            return _Had(had)
        is_all = True
        for image in filter(None, images):
            if self._looks_back:
                is_all = False
            try:
                keys = self._keys_of_earlier(change, image)
                texts = [key_text(list(key.values())) for key in keys]
                had |= zip(texts, keys, strict=True)
                _see_that_keys_differ(texts)
            except Rejected:
                is_all = False
        return _Had(had, is_all)

    def _keys_of_earlier(self, change: ChangeRecord, raw: msgspec.Raw) -> list[Image]:
        """The keys of the rows an earlier image had.

        Raises:
            Rejected: it can't be mapped, and so never had any.
        """
        image = decode_image(raw)
        if not self._membership.holds(change.keys, image):
            return []
        scope = Scope(change.keys, image, None, Event(change.event_name, change.table, change.micros))
        scopes = [scope] if self._for_each is None else list(scope.elements(self._for_each))
        for each in scopes:
            for field in self._computed:
                field.plain(each)
        return [self._key_of(each) for each in scopes]


def _see_that_keys_differ(texts: Iterable[str]) -> None:
    seen: set[str] = set()
    for text in texts:
        if text in seen:
            message = f"for_each: two elements make one row: both have the key {text}"
            raise Rejected(message, code="KeyNotUnique")
        seen.add(text)


def _source_key(value: Value) -> str | None:
    """The key attribute of the source that a key is, None for any other expression."""
    path = value.path
    return path[1] if path is not None and path[0] == "keys" and len(path) == 2 else None  # noqa: PLR2004 - `keys.` and one name
