"""A pattern that AWS would refuse is refused with the path to each mistake, and what is allowed there."""

import pytest

from consumer.filters.mistakes import InvalidPatternError, Path
from consumer.filters.pattern import Pattern


def refusal(pattern: str) -> InvalidPatternError:
    with pytest.raises(InvalidPatternError) as caught:
        Pattern(pattern)
    return caught.value


@pytest.mark.parametrize(
    ("pattern", "path", "said"),
    [
        ("[]", (), "a pattern is an object such as"),
        ("{}", (), "name at least one field"),
        ('{"a":{"b":{}}}', ("a", "b"), "name at least one field"),
        ('{"a":[]}', ("a",), "name at least one value"),
        ('{"a":"x"}', ("a",), '"x" is not allowed: write a list such as ["x"]'),
        ('{"a":[["x"]]}', ("a", 0), "a list in a list"),
        ('{"a":["y",{}]}', ("a", 1), "exactly one key"),
        ('{"a":[{"prefix":"x","suffix":"y"}]}', ("a", 0), "here is `prefix` and `suffix`"),
        ('{"a":[{"prefixes":"x"}]}', ("a", 0, "prefixes"), "there is no matcher `prefixes`; there are"),
        ('{"a":[{"prefix":{"suffix":"x"}}]}', ("a", 0, "prefix"), '{ "equals-ignore-case": a text }'),
        ('{"a":[{"exists":"yes"}]}', ("a", 0, "exists"), "write true or false"),
        ('{"a":[{"cidr":"10.0.0.1/32"}]}', ("a", 0, "cidr"), "write a mask from /0 to /31"),
        ('{"a":[{"cidr":"::1/128"}]}', ("a", 0, "cidr"), "write a mask from /0 to /127"),
        ('{"a":[{"cidr":"10.0.0.1"}]}', ("a", 0, "cidr"), "an address block such as 10.0.0.0/24"),
        ('{"a":[{"wildcard":"a**"}]}', ("a", 0, "wildcard"), "two `*` in a row"),
        (r'{"a":[{"wildcard":"\\x"}]}', ("a", 0, "wildcard"), "only before `*` or another backslash"),
        (r'{"a":[{"wildcard":"x\\"}]}', ("a", 0, "wildcard"), "only before `*` or another backslash"),
        ('{"a":[{"numeric":["<",10,">",0]}]}', ("a", 0, "numeric", 0), "the lower bound stands first"),
        ('{"a":[{"numeric":["!=",10]}]}', ("a", 0, "numeric", 0), 'write one of "=", "<", "<=", ">", ">="'),
        ('{"a":[{"numeric":[">","10"]}]}', ("a", 0, "numeric", 1), "write a number"),
        ('{"a":[{"numeric":[">=",5,"<=",5]}]}', ("a", 0, "numeric"), "not below the upper one"),
        ('{"a":[{"numeric":[]}]}', ("a", 0, "numeric"), "write a comparison such as"),
        ('{"a":[{"numeric":[">",12345678901234567890]}]}', ("a", 0, "numeric", 1), "64-bit float"),
        ('{"a":[{"anything-but":["x",1]}]}', ("a", 0, "anything-but"), "only texts or only numbers"),
        ('{"a":[{"anything-but":null}]}', ("a", 0, "anything-but"), "only texts or only numbers"),
        (
            '{"a":[{"anything-but":{"numeric":["=",1]}}]}',
            ("a", 0, "anything-but", "numeric"),
            "exactly one of",
        ),
        (
            '{"a":[{"anything-but":{"prefix":["x",""]}}]}',
            ("a", 0, "anything-but", "prefix", 1),
            "an empty text",
        ),
        ('{"a":[{"anything-but":{"suffix":[]}}]}', ("a", 0, "anything-but", "suffix"), "is empty"),
        ('{"$or":[{"a":["x"]}]}', ("$or",), "a list of two or more objects"),
        ('{"$or":[{"a":["x"]},"y"]}', ("$or", 1), "takes objects only"),
        (
            '{"$or":[{"a":["x"]},{"b":{"regex":["x"]}}]}',
            ("$or", 1, "b", "regex"),
            "no field may be named `regex`",
        ),
        ('{"a":["x"],"b":["y"],"a":["z"]}', ("a",), "`a` is given twice"),
        ('{"a":[{"prefix":"x","prefix":"y"}]}', ("a", 0, "prefix"), "`prefix` is given twice"),
        ('{"a":[NaN]}', (), "NaN is no number"),
        ('{"a":[-Infinity]}', (), "-Infinity is no number"),
        ('{"a":["\t"]}', (), "not JSON: Invalid control character"),
        ('{"a":[1] /* one */}', (), "not JSON"),
        ('{"a":[1]} {"b":[2]}', (), "not JSON: Extra data"),
        ('{"a":' * 5_000, (), "nested too deeply"),
    ],
)
def test_a_mistake_is_told_with_its_path_and_what_is_allowed(pattern: str, path: Path, said: str) -> None:
    error = refusal(pattern)

    assert error.path == path
    assert said in str(error)


def test_all_mistakes_are_told_at_once() -> None:
    error = refusal('{"a":[{"prefix":5},"x",{"suffix":6}],"b":7,"c":{"d":[]}}')

    assert str(error).splitlines() == [
        "a[0].prefix: 5 is not allowed: write a text",
        "a[2].suffix: 6 is not allowed: write a text",
        "b: 7 is not allowed: write a list such as [7]",
        "c.d: is empty: name at least one value",
    ]


def test_more_than_a_thousand_combinations_of_or_are_refused() -> None:
    fields = [f'"n{number}":{{"$or":[{{"a":["x"]}},{{"b":["x"]}}]}}' for number in range(10)]
    nine, ten = ("{" + ",".join(fields[:count]) + "}" for count in (9, 10))

    assert refusal(ten).path == ("n9", "$or")
    assert "more than 1,000 combinations" in str(refusal(ten))
    assert Pattern(nine).matches({f"n{number}": {"b": "x"} for number in range(9)})


def test_a_long_text_is_cut_in_the_message() -> None:
    assert len(str(refusal('{"a":"' + "x" * 100_000 + '"}'))) < 300
