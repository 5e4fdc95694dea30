"""An item's identity, and the keys that it was made of."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from consumer.processors.source import item_keys
from consumer.shard.envelopes import decode
from tests.support.changes import envelope, in_stream

TEXTS = st.text(min_size=1, max_size=20)
VALUES = st.one_of(
    st.tuples(st.just("S"), TEXTS | st.from_regex("[0-9]:[0-9:a]*", fullmatch=True)),
    st.tuples(st.just("N"), st.integers().map(str)),
    st.tuples(st.just("B"), st.binary(min_size=1).map(lambda value: base64.b64encode(value).decode())),
)


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=2))
def test_an_items_keys_are_had_again_of_its_identity(values: dict[str, tuple[str, str]]) -> None:
    keys = {name: {kind: text} for name, (kind, text) in values.items()}
    change = decode(in_stream(envelope("MODIFY", keys, 1)))
    assert item_keys(change.item, {name: kind for name, (kind, _) in values.items()}) == keys


@given(st.text(), st.sampled_from([("a", "b"), ("b", "a")]))
def test_any_other_text_is_none(text: str, names: tuple[str, str]) -> None:
    keys = item_keys(text, dict.fromkeys(names, "S"))
    if keys is not None:
        again = "".join(f"{len(value)}:{value}" for name in sorted(keys) for value in keys[name].values())
        assert again == text
