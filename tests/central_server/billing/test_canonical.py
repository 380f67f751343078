"""Equal values have equal texts."""

import pytest

from central_server.billing.canonical import canonical_json, digest


def test_the_order_of_keys_does_not_matter_and_that_of_items_does() -> None:
    assert digest({"b": 1, "a": ["元", None]}) == digest({"a": ["元", None], "b": 1})
    assert digest(["x", "y"]) != digest(["y", "x"])
    assert canonical_json({"b": 1, "a": ["元", None]}) == '{"a":["元",null],"b":1}'


@pytest.mark.parametrize("value", [0.1, [0.1], {"a": {"b": 0.1}}, {1: "a"}])
def test_what_prints_in_two_ways_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)
