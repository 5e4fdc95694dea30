"""What a processor's expressions see of an item, and the values they give. Pure.

The roots are `keys`, `new`, `old`, `event`, and under `for_each` `item` and `index`. A plain path such as
`new.address.city` gives the attribute value as it is, with its exact type; anything else is computed over
plain values, which are made only when an expression asks for them.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple, cast

import msgspec

from consumer.attributes import Plain, decode_image, from_plain, image_to_plain, to_plain
from consumer.errors import Rejected
from consumer.expressions import Expression
from consumer.record import AttributeValue, ChangeRecord, EventName, Image

Keys = Mapping[str, Mapping[str, str]]

_OF_AN_ITEM = ("keys", "new", "old")
_LISTS = {"L": None, "SS": "S", "NS": "N", "BS": "B"}


class Event(NamedTuple):
    """What expressions see of the change beside its images; `name` is None where the source was read."""

    name: EventName | None
    table: str
    micros: int

    def plain(self) -> dict[str, Plain]:
        """`event.time` is in seconds of the Unix epoch, exact to the microsecond."""
        return {"name": self.name, "table": self.table, "time": Decimal(self.micros).scaleb(-6)}


class Scope:
    """One item."""

    __slots__ = ("_event", "_plain", "_roots")

    def __init__(
        self, keys: Keys, new: Image | None, old: Image | None = None, event: Event | None = None
    ) -> None:
        self._roots: dict[str, AttributeValue] = {"keys": {"M": keys}}
        if new is not None:
            self._roots["new"] = {"M": new}
        if old is not None:
            self._roots["old"] = {"M": old}
        self._event = event
        self._plain: dict[str, Plain] | None = None

    def raw(self, path: tuple[str, ...]) -> AttributeValue | None:
        """The attribute value at a plain path, untouched; None where the path leads nowhere."""
        value = self._roots.get(path[0])
        for name in path[1:]:
            if value is None or not isinstance(image := value.get("M"), dict):
                return None
            value = image.get(name)
        return value

    def plain(self) -> dict[str, Plain]:
        """Every root as plain values."""
        if self._plain is None:
            self._plain = {
                name: image_to_plain(cast("Image", self._roots[name]["M"]))
                for name in _OF_AN_ITEM
                if name in self._roots
            }
            if self._event is not None:
                self._plain["event"] = self._event.plain()
        return self._plain

    def elements(self, for_each: "Value") -> Iterator["Scope"]:
        """A scope for each element of the list or set that an expression gives; none where it gives null.

        Raises:
            Rejected: it gives something else.
        """
        value = for_each(self)
        if value is None or "NULL" in value:
            return
        ((kind, content),) = value.items()
        if kind not in _LISTS:
            message = f"for_each: `{for_each.text}` gives no list in this item, but a value of type {kind}"
            raise Rejected(message, code="NotAList")
        of_set = _LISTS[kind]
        for index, part in enumerate(cast("list[object]", content)):
            yield _ElementScope(self, {of_set: part} if of_set else cast("AttributeValue", part), index)


class _ElementScope(Scope):
    """One element of one of an item's lists."""

    __slots__ = ("_element", "_of", "_place")

    def __init__(self, of: Scope, element: AttributeValue, index: int) -> None:
        self._of = of
        self._element = element
        self._place = index
        self._roots = {**of._roots, "item": element, "index": {"N": str(index)}}  # noqa: SLF001 - its own kind
        self._plain = None

    def plain(self) -> dict[str, Plain]:
        if self._plain is None:
            self._plain = {
                **self._of.plain(),
                "item": to_plain(self._element),
                "index": Decimal(self._place),
            }
        return self._plain


class Value:
    """A compiled expression that gives a value."""

    __slots__ = ("_expression", "_literal", "path", "roots", "text")

    def __init__(self, text: str) -> None:
        """Compile it.

        Raises:
            SettingsError: it is wrong.
        """
        self.text = text
        self._expression = Expression(text)
        self.roots = self._expression.roots
        """What it looks into."""
        path = self._expression.path
        # The event is no image: there is nothing to copy from it as it is. Nor is a bare root.
        is_copied = (
            path is not None and path[0] != "event" and (len(path) > 1 or path[0] in ("item", "index"))
        )
        self.path = path if is_copied else None
        """The names of a plain path, whose value is copied as it is."""
        self._literal = self._expression.search({}) if self._expression.is_literal else None

    def __call__(self, scope: Scope) -> AttributeValue | None:
        """The value; None where it is null or leads nowhere. An explicit NULL on a plain path is itself.

        Raises:
            Rejected: the item doesn't fit the expression.
        """
        if self.path is not None:
            return scope.raw(self.path)
        value = self._expression.search(scope.plain())
        return None if value is None else from_plain(value)

    def plain(self, scope: Scope) -> Plain:
        """The same as a plain value.

        Raises:
            Rejected: the item doesn't fit the expression.
        """
        if self.path is not None:
            value = scope.raw(self.path)
            return None if value is None else to_plain(value)
        if self._literal is not None:
            return self._literal
        return self._expression.search(scope.plain())


class Membership:
    """`when`: which items belong. It sees `new` and `keys` only."""

    __slots__ = ("_when",)

    def __init__(self, when: str | None) -> None:
        """Compile it.

        Raises:
            SettingsError: it is wrong.
        """
        self._when = None if when is None else Expression(when)

    def holds(self, keys: Keys, image: Image) -> bool:
        """JMESPath's own truth: false, null, and empty texts, lists and objects are false.

        Raises:
            Rejected: the item doesn't fit the expression.
        """
        if self._when is None:
            return True
        value = self._when.search(Scope(keys, image).plain())
        return value is not None and value is not False and value not in ("", [], {})

    def was_outside(self, change: ChangeRecord) -> bool:
        """Whether no image before the last of a change belonged, for all that can be told."""
        if not change.old_image and change.event_name != "INSERT":
            return False
        images = (change.old_image, *change.between) if change.old_image else change.between
        return not any(self._may_hold(change.keys, image) for image in images)

    def _may_hold(self, keys: Keys, image: msgspec.Raw) -> bool:
        try:
            return self.holds(keys, decode_image(image))
        except Rejected:  # what can't be judged may have been inside: a delete too many does no harm
            return True


def new_image(change: ChangeRecord) -> Image | None:
    """The item after a change; None: it is gone.

    Raises:
        Rejected: the image is missing or malformed.
    """
    if change.event_name == "REMOVE":
        return None
    if not change.new_image:  # a stream of keys only, say: never to be taken for a delete
        message = f"the {change.event_name} carries no new image, so nobody knows what to write"
        raise Rejected(message, code="NoImage")
    return decode_image(change.new_image)
