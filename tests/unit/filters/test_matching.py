"""What a field may be, entry by entry, as AWS's Event Ruler 2.1.0 was seen to decide."""

import json

import pytest

from consumer.filters.pattern import Filter, Pattern, decode_event

ABSENT = "absent"


def matching(pattern: str, *events: str) -> list[str]:
    compiled = Pattern(pattern)
    return [event for event in events if compiled.matches(decode_event(event.encode()))]


def accepted(entries: str, *values: str) -> list[str]:
    """Which of the values, as JSON, a field may have."""
    compiled = Pattern(f'{{"a":[{entries}]}}')
    events = {value: "{}" if value is ABSENT else f'{{"a":{value}}}' for value in values}
    return [value for value, event in events.items() if compiled.matches(decode_event(event.encode()))]


@pytest.mark.parametrize(
    ("entries", "yes", "no"),
    [
        ('{"anything-but":"x"}', ["5", "true", "null", '""', '["x","y"]'], ['"x"', "[]", "{}", ABSENT]),
        ('{"anything-but":5}', ['"5"', "null", "true", "6"], ["5", "5.0", "5e0", ABSENT]),
        ('{"anything-but":{"prefix":"x"}}', ["5", "null", '"ax"'], ['"xa"', ABSENT]),
        ('{"anything-but":{"suffix":"x"}}', ["5", "null", '"xa"'], ['"ax"', ABSENT]),
        ('{"anything-but":{"wildcard":"*x*"}}', ["5", "null", '"a"'], ['"axa"', ABSENT]),
        ('{"anything-but":{"equals-ignore-case":["X","y"]}}', ["5", "null", '"z"'], ['"x"', '"Y"', ABSENT]),
        ('{"anything-but":["a","b"]}', ['["a","c"]'], ['["a","b"]', "[]"]),
        ('{"anything-but":"a"},{"anything-but":"b"}', ['"a"', '"b"', '["a","b"]'], ["[]", ABSENT]),
        ('{"exists":true}', ['""', "null", "[null]", "0"], ["[]", "{}", "[{}]", '{"b":1}', ABSENT]),
        ('{"exists":false}', ["[]", "{}", "[{}]", '{"b":1}', ABSENT], ['""', "null", "[null]", "0"]),
        ('{"exists":false},"PAID"', ['"PAID"', ABSENT], ['"NEW"', "null"]),
        ("null", ["null", '["x",null]'], ['"null"', '""', "[]", ABSENT]),
        ('""', ['""'], ["null", '" "', ABSENT]),
        ("1", ["1", "1.0", "1e0", "10e-1"], ['"1"', "true", "1.1"]),
        ("0", ["0", "-0", "-0.0"], ["false", "null", '""']),
        ("true", ["true"], ["1", '"true"', "false"]),
        (
            "12345678901234567890",
            ["12345678901234567890"],
            ["12345678901234567891", "1.2345678901234567890e19"],
        ),
        ('{"numeric":[">",0,"<=",5]}', ["5", "0.1", "[-1,3]"], ["0", '"3"', "[-1,9]", "true", "null"]),
        (
            '{"numeric":["=",0.1]}',
            ["0.1", "1e-1"],
            ["0.10000000000000001", "0.1000000000000000055511151231257827"],
        ),
        ('{"cidr":"10.0.0.77/24"}', ['"10.0.0.0"', '"10.0.0.255"'], ['"10.0.1.0"', '"10.0.0"', "10", "null"]),
        ('{"cidr":"2001:db8::/32"}', ['"2001:DB8:0::1"'], ['"2001:db9::"', '"::1"']),
        ('"::1"', ['"0:0:0:0:0:0:0:1"', '"::1"'], ['"::2"']),
        ('{"wildcard":"a*b"}', [r'"a\nb"', '"ab"', '"axxb"'], [r'"ab\n"', '"abc"', "5", '"a"']),
        ('{"wildcard":"ab*b"}', ['"abb"', '"abxb"'], ['"ab"']),
        ('{"wildcard":"*a*a*"}', ['"aa"', '"xaxax"'], ['"xax"']),
        (r'{"wildcard":"a\\*\\\\b"}', [r'"a*\\b"'], [r'"axx\\b"']),
        ('{"prefix":""}', ['""', '"x"'], ["5", "null", ABSENT]),
        ('{"suffix":""}', ['""', '"x"'], ["5", "null", ABSENT]),
        ('{"equals-ignore-case":"É"}', ['"é"', '"É"'], ['"e"', "5"]),
        ('{"equals-ignore-case":"k"}', ['"k"', '"K"'], [r'"\u212a"']),
        ('{"prefix":{"equals-ignore-case":"ß"}}', ['"ßx"', '"SSx"'], ['"ssx"']),
        ('{"suffix":{"equals-ignore-case":"AB"}}', ['"xaB"', '"ab"'], ['"abx"', '"b"']),
        ('{"exactly":"::1"}', ['"::1"'], ['"0:0:0:0:0:0:0:1"']),
    ],
)
def test_a_field_may_be_what_its_entries_say(entries: str, yes: list[str], no: list[str]) -> None:
    assert accepted(entries, *yes, *no) == yes


def test_an_attribute_may_have_dots_in_its_name() -> None:
    pattern = '{"NewImage":{"price.net":{"N":["5"]}}}'
    assert matching(pattern, '{"NewImage":{"price.net":{"N":"5"}}}', '{"NewImage":{"price":{"N":"5"}}}') == [
        '{"NewImage":{"price.net":{"N":"5"}}}'
    ]


def test_a_name_of_many_parts_is_compiled_at_once() -> None:
    names = [f"level{number}" for number in range(60)]
    pattern: object = ["x"]
    event: object = "x"
    for name in reversed(names):
        pattern, event = {name: pattern}, {name: event}

    assert matching(json.dumps(pattern), json.dumps(event)) == [json.dumps(event)]


def test_one_branch_of_or_is_enough_and_what_stands_beside_it_holds_for_all() -> None:
    pattern = '{"c":["z"],"$or":[{"a":["x"]},{"b":["y"],"d":["w"]}]}'
    events = ['{"a":"x","c":"z"}', '{"b":"y","c":"z"}', '{"b":"y","d":"w","c":"z"}', '{"a":"x"}']

    assert matching(pattern, *events) == [events[0], events[2]]


@pytest.mark.parametrize(
    "entries", [('{"exists":false}', '"x",{"exists":false}'), ('"x",1', '{"exists":false},1')]
)
def test_branches_of_or_that_share_an_entry_are_all_looked_at(entries: tuple[str, str]) -> None:
    """Event Ruler misses one of the two here, and would lose a change."""
    pattern = '{{"$or":[{{"c":[{}]}},{{"c":[{}]}}]}}'.format(*entries)

    assert matching(pattern, "{}", '{"c":"x"}', '{"c":"y"}') == ["{}", '{"c":"x"}']


def test_a_field_in_or_and_beside_it_is_what_stands_last() -> None:
    first = '{"a":["x"],"$or":[{"a":["y"]},{"b":["z"]}]}'
    last = '{"$or":[{"a":["y"]},{"b":["z"]}],"a":["x"]}'
    events = ['{"a":"x"}', '{"a":"y"}', '{"a":"x","b":"z"}']

    assert matching(first, *events) == [events[1], events[2]]
    assert matching(last, *events) == [events[0], events[2]]


def test_names_of_matchers_are_ordinary_names_outside_of_or() -> None:
    assert matching('{"prefix":["x"],"numeric":{"exists":["y"]}}', '{"prefix":"x","numeric":{"exists":"y"}}')


def test_of_several_patterns_any_may_match() -> None:
    chosen = Filter([Pattern('{"a":["x"]}'), Pattern('{"b":["y"]}')])

    assert [chosen.matches(event) for event in ({"a": "x"}, {"b": "y"}, {"a": "y"})] == [True, True, False]


def test_a_filter_knows_whether_keys_are_all_it_looks_at() -> None:
    keys = Pattern('{"tableName":["t"],"dynamodb":{"Keys":{"id":{"S":["x"]}}}}')
    image = Pattern('{"$or":[{"tableName":["t"]},{"dynamodb":{"KeysOld":["x"]}}]}')

    assert Filter([keys]).is_of_keys
    assert not Filter([image]).is_of_keys
    assert not Filter([keys, image]).is_of_keys
