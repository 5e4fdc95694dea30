"""Settings of a projection -> what the read model should hold for an image of an item."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from consumer.attributes import (
    NO_IMAGE_DIGEST,
    RESERVED,
    Plain,
    decode_image,
    digest,
    from_plain,
    image_to_plain,
)
from consumer.errors import Rejected, SettingsError
from consumer.expressions import Expression, follow
from consumer.record import AttributeValue, ChangeRecord, Image
from consumer.settings.model import Projection


class Desired:
    """What the target should hold of an item after a change.

    A row, or None for none, and the digest of the source image it comes from.
    """

    __slots__ = ("digest", "key", "row")

    def __init__(self, key: Image, row: Image | None, image_digest: str) -> None:
        self.key = key
        self.row = row
        self.digest = image_digest


class ProjectionMapping:
    """The pure part of a projection; compiled once."""

    def __init__(self, settings: Projection) -> None:
        """Compile the expressions.

        Raises:
            SettingsError: an expression is wrong, or a key is made of something other than the item's own
            keys.
        """
        self._key = {name: _key_attribute(name, text) for name, text in settings.key.items()}
        self._fields = (
            None
            if settings.fields is None
            else {name: _field(text) for name, text in settings.fields.items()}
        )
        self._when = None if settings.when is None else Expression(settings.when)
        taken = {RESERVED, *self._key} & set(settings.fields or {})
        if taken:
            message = f"fields: {min(taken)!r} is already part of the row; give the field another name"
            raise SettingsError(message)

    def check_keys(self, source_keys: Sequence[str]) -> None:
        """See that no two items share a row.

        Each key attribute of the source table must be in the read model's key.

        Raises:
            SettingsError: one is missing, or one that is named isn't a key of the source table.
        """
        used = set(self._key.values())
        for name in source_keys:
            if name not in used:
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

    def after(self, change: ChangeRecord) -> Desired | None:
        """What the target should hold after a change; None: the item was outside before and is outside now.

        Raises:
            Rejected: an image or a value that can't be mapped.
        """
        desired = self.holding(change.keys, _new_image(change))
        if desired.row is None and self._was_outside(change):
            return None
        return desired

    def holding(self, keys: Mapping[str, Mapping[str, str]], image: Image | None) -> Desired:
        """What the target should hold while the source item is `image` (None: it doesn't exist).

        Raises:
            Rejected: an image or a value that can't be mapped.
        """
        key: Image = {}
        for name, source in self._key.items():
            if source not in keys:
                message = f"the record has no key attribute {source!r}"
                raise Rejected(message, code="KeyIsNull")
            key[name] = dict(keys[source])
        if image is None or not self._is_member(keys, image):
            return Desired(key, None, NO_IMAGE_DIGEST)
        image_digest = digest(image)  # first: it finds what is malformed anywhere in the image
        return Desired(key, self._row(key, keys, image), image_digest)

    def _row(self, key: Image, keys: Mapping[str, Mapping[str, str]], image: Image) -> Image:
        if self._fields is None:
            return {**image, **key}
        row = dict(key)
        scope = _Scope(keys, image)
        for name, field in self._fields.items():
            value = field(scope)
            if value is not None:
                row[name] = value
        return row

    def _was_outside(self, change: ChangeRecord) -> bool:
        if not change.old_image and change.event_name != "INSERT":
            return False
        images = (change.old_image, *change.between) if change.old_image else change.between
        return not any(self._may_be_member(change.keys, image) for image in images)

    def _may_be_member(self, keys: Mapping[str, Mapping[str, str]], image: msgspec.Raw) -> bool:
        try:
            return self._is_member(keys, decode_image(image))
        except Rejected:  # what can't be judged may have been inside: a delete too many does no harm
            return True

    def _is_member(self, keys: Mapping[str, Mapping[str, str]], image: Image) -> bool:
        """JMESPath's own truth: false, null, and empty texts, lists and objects are false."""
        if self._when is None:
            return True
        value = self._when.search(_Scope(keys, image).plain())
        return value is not None and value is not False and value not in ("", [], {})


def _new_image(change: ChangeRecord) -> Image | None:
    if change.event_name == "REMOVE":
        return None
    if not change.new_image:  # a stream of keys only, say: never to be taken for a delete
        message = f"the {change.event_name} carries no new image, so nobody knows what to write"
        raise Rejected(message, code="NoImage")
    return decode_image(change.new_image)


class _Scope:
    """What an expression sees: `new` and `keys`; the plain form is made only when an expression asks."""

    def __init__(self, keys: Mapping[str, Mapping[str, str]], image: Image) -> None:
        self.raw: dict[str, Image] = {
            "keys": {name: dict(value) for name, value in keys.items()},
            "new": image,
        }
        self._plain: dict[str, Plain] | None = None

    def plain(self) -> dict[str, Plain]:
        if self._plain is None:
            self._plain = {name: image_to_plain(image) for name, image in self.raw.items()}
        return self._plain


_Field = Callable[[_Scope], AttributeValue | None]


def _field(text: str) -> _Field:
    expression = Expression(text)
    path = expression.path
    if path is not None and len(path) > 1 and path[0] in ("new", "keys"):
        root, names = path[0], path[1:]
        return lambda scope: follow(names, scope.raw[root])

    def computed(scope: _Scope) -> AttributeValue | None:
        value = expression.search(scope.plain())
        return None if value is None else from_plain(value)

    return computed


def _key_attribute(name: str, text: str) -> str:
    path = Expression(text).path
    if path is None or len(path) != 2 or path[0] != "keys":  # noqa: PLR2004 - `keys.` and one name
        message = (
            f"key: {name}: {text!r} must be one of the item's own keys, such as keys.orderId; "
            "rows that move with other attributes are not supported yet"
        )
        raise SettingsError(message)
    return path[1]
