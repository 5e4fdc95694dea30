"""Does an event match? Values that lie in one array must come from one element of it.

Event Ruler's array consistency: each value carries the elements it lies in; fields are taken in the order of
their names, and each must agree with the elements that the ones before chose. Scalars that stand in an array
are free of it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from consumer.filters.grammar import Alternative
from consumer.filters.values import Values

Elements = tuple[tuple[int, int], ...]
"""Which element of which array a value lies in, from the outside in; arrays are numbered within an event."""

Choice = frozenset[tuple[int, int]]
"""The elements that the fields taken so far chose."""

Found = list[list[tuple[object, Elements]]]
"""Each field's values in an event, and where they lie."""

_NOWHERE: Elements = ()


@dataclass(slots=True)
class _Node:
    """A place in events that leads to fields: `number` is that of the one that ends here."""

    number: int | None = None
    children: dict[str, "_Node"] = field(default_factory=dict)


class Matcher:
    """Decides for one pattern."""

    def __init__(self, alternatives: Sequence[Alternative]) -> None:
        """Take the ways to match; any is enough."""
        names = sorted({name for alternative in alternatives for name in alternative}, key=_in_utf_16)
        numbered = {name: number for number, name in enumerate(names)}
        self._size = len(names)
        self._root = _tree(numbered)
        self._alternatives = [
            tuple(sorted((numbered[name], values) for name, values in alternative.items()))
            for alternative in alternatives
        ]

    def matches(self, event: Mapping[str, object]) -> bool:
        """Whether an event, as decoded JSON, matches."""
        found: Found = [[] for _ in range(self._size)]
        has_arrays = _Walk(found).below(event, self._root, _NOWHERE)
        decide = _agree if has_arrays else _hold
        return any(decide(alternative, found) for alternative in self._alternatives)


class _Walk:
    """One way through an event; gathers what the pattern's fields are."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._arrays = 0

    def below(self, value: Mapping[str, object], node: _Node, at: Elements) -> bool:
        """Gather below an object; whether anything lies in an element of an array."""
        is_bound = False
        for name, child in node.children.items():
            if name in value:
                is_bound |= self._value(value[name], child, at)
        return is_bound

    def _value(self, value: object, node: _Node, at: Elements) -> bool:
        if isinstance(value, dict):
            return self.below(value, node, at)
        if isinstance(value, list):
            return self._array(value, node, at)
        if node.number is None:
            return False
        self._found[node.number].append((value, at))
        return at is not _NOWHERE

    def _array(self, values: list[object], node: _Node, at: Elements) -> bool:
        self._arrays += 1
        array = self._arrays
        is_bound = False
        for index, value in enumerate(values):
            inside = (*at, (array, index)) if isinstance(value, (dict, list)) else at
            is_bound |= self._value(value, node, inside)
        return is_bound


def _hold(alternative: Sequence[tuple[int, Values]], found: Found) -> bool:
    """Whether every field is as it may be."""
    for number, values in alternative:
        for value, _ in found[number]:
            if values.accept(value):
                break
        else:
            if found[number] or not values.absent:
                return False
    return True


def _agree(alternative: Sequence[tuple[int, Values]], found: Found) -> bool:
    """The same, all from the same elements."""
    choices: set[Choice] = {frozenset()}
    for position, (number, values) in enumerate(alternative):
        accepted = _Places(at for value, at in found[number] if values.accept(value))
        present = _Places(at for _, at in found[number]) if values.absent else None
        still_needed = {
            array for later, _ in alternative[position + 1 :] for _, at in found[later] for array, _ in at
        }
        choices = {
            frozenset(element for element in choice if element[0] in still_needed)
            for before in choices
            for choice in _choices(before, accepted, present)
        }
        if not choices:
            return False
    return True


def _choices(before: Choice, accepted: "_Places", present: "_Places | None") -> Iterator[Choice]:
    """What the choice so far can become by one more field."""
    chosen = dict(before)
    for at in accepted.agreeing(chosen):
        yield before.union(at)
    if present is not None and next(present.agreeing(chosen), None) is None:
        yield before


class _Places:
    """Where values lie, as a tree of arrays and their elements: what agrees is found without a search."""

    def __init__(self, places: Iterable[Elements]) -> None:
        self._is_here = False
        inside: dict[int, dict[int, list[Elements]]] = {}
        for place in places:
            if place:
                array, index = place[0]
                inside.setdefault(array, {}).setdefault(index, []).append(place[1:])
            else:
                self._is_here = True
        self._arrays = {
            array: {index: _Places(below) for index, below in elements.items()}
            for array, elements in inside.items()
        }

    def agreeing(self, chosen: Mapping[int, int]) -> Iterator[Elements]:
        """The places in none but the chosen elements of the arrays that have one."""
        if self._is_here:
            yield _NOWHERE
        for array, elements in self._arrays.items():
            indexes = (chosen[array],) if array in chosen else tuple(elements)
            for index in indexes:
                if index in elements:
                    for inside in elements[index].agreeing(chosen):
                        yield ((array, index), *inside)


def _tree(numbered: Mapping[str, int]) -> _Node:
    """Where the fields are in events: an attribute may have dots in its name, so every cut of it counts."""
    used = {step for name in numbered for step in _steps(name)}
    root = _Node()
    nodes: dict[str, _Node] = {}
    for name, number in numbered.items():
        parts = name.split(".")
        for begin in range(len(parts)):
            above = nodes.setdefault(".".join(parts[:begin]), _Node()) if begin else root
            for end in range(begin + 1, len(parts) + 1):
                key = ".".join(parts[begin:end])
                if key in used or ("." in key and used.issuperset(_steps(key))):
                    above.children[key] = nodes.setdefault(".".join(parts[:end]), _Node())
        nodes[name].number = number
    return root


def _steps(name: str) -> list[str]:
    """The name's parts as Event Ruler counts them: empty ones at the end do not."""
    return (name.rstrip(".") if name else name).split(".") if name.strip(".") or not name else []


def _in_utf_16(name: str) -> bytes:
    """Names are ordered as Java orders text."""
    return name.encode("utf-16-be", "surrogatepass")
