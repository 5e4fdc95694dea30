import pytest

from consumer.settings.document import Value, field_name, read_document


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on: [INSERT]", {"on": ["INSERT"]}),
        ("a: yes", {"a": "yes"}),
        ("a: off", {"a": "off"}),
        ("a: true", {"a": True}),
        ("a: FALSE", {"a": False}),
        ("true: a", {"true": "a"}),
        ("1: a", {"1": "a"}),
        ("a: 1:30", {"a": "1:30"}),
        ("a: 010", {"a": 10}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 2026-01-31T00:00:00Z", {"a": "2026-01-31T00:00:00Z"}),
        ("a: 2026-01-31", {"a": "2026-01-31"}),
        ("a: 1.5", {"a": 1.5}),
        ("a: -3", {"a": -3}),
        ("a: 1e3", {"a": 1000.0}),
        ("a: .nan", {"a": ".nan"}),
        ("a: '5'", {"a": "5"}),
        ("a: !!str 5", {"a": 5}),
        ("a:", {"a": None}),
        ("a: ~", {"a": None}),
        ("a: ''", {"a": ""}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("- a\n- b", ["a", "b"]),
        ("a: " + "9" * 5000, {"a": "9" * 5000}),
        ("", None),
        ("# nothing", None),
    ],
)
def test_a_plain_scalar_means_what_yaml_1_2_says(text: str, value: Value) -> None:
    document = read_document(text)

    assert document.value == value
    assert document.problems == []


def test_every_key_and_entry_has_its_line_and_column() -> None:
    document = read_document("a:\n  b: 1\n  c:\n    - x\n    - { d: 2 }\n")

    assert document.places == {
        (): (1, 1),
        ("a",): (1, 1),
        ("a", "b"): (2, 3),
        ("a", "c"): (3, 3),
        ("a", "c", 0): (4, 7),
        ("a", "c", 1): (5, 7),
        ("a", "c", 1, "d"): (5, 9),
    }


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: 2\na: 3", 3, "`a` is given twice: here and in line 1"),
        ("a: 1\n\tb: 2", 2, "a tab can't indent YAML: use spaces"),
        ("a: 1\nb: `1`", 2, "in quotes"),
        ("a: b: c", 1, "put a value that holds `: ` in quotes"),
        ("a: [1, 2", 1, "not YAML"),
        ("a: 'x", 1, "not YAML"),
        ("a: *nobody", 1, "undefined alias"),
        ("a: 1\n---\nb: 1", 2, "one file holds one document"),
        ("a: &x\n  b: *x", 1, "an alias that holds itself"),
        ("[1]: 2", 1, "a key must be plain text"),
        ("a: 1\nb: !env HOME", 2, "the tag !env means nothing here"),
        ("a: 1\nb: \x00", 2, "a character that YAML does not allow"),
        ("[" * 2000, 1, "nested too deeply"),
    ],
)
def test_what_is_not_good_yaml_is_told_with_its_line(text: str, line: int, said: str) -> None:
    (problem,) = read_document(text).problems

    assert problem.line == line
    assert said in problem.message


def test_a_field_is_named_as_people_write_it() -> None:
    assert field_name(("processors", 0, "projection", "key")) == "processors[0].projection.key"
    assert field_name(()) == ""
