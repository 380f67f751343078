"""What may be ordered from afar."""

from drivers.profile import load_profile, profile_names
from edge_agent.orderable import kind_of, orderable


def test_a_valve_a_relay_and_a_door_say_what_they_take() -> None:
    valve = load_profile("water/cjt188-valve")
    (told,) = orderable(valve, is_door=False)
    assert (told["action"], told["class"], told["point"]) == ("write", "valve", "valveState")
    assert told["states"]["0"] == "open"
    args = {"point": "valveState", "value": "1"}
    assert kind_of(valve, "write", args, is_door=False) == "valve"
    assert kind_of(valve, "write", {**args, "password": "1"}, is_door=False) is None
    assert kind_of(valve, "write", {"point": "volumeTotal", "value": "0"}, is_door=False) is None
    assert kind_of(valve, "open", {}, is_door=False) is None
    assert [it["class"] for it in orderable(load_profile("relay/relay-module"), is_door=False)] == ["relay"]
    door = load_profile("access/modbus-door")
    assert {"action": "open", "class": "door"} in orderable(door, is_door=True)
    assert kind_of(door, "open", {}, is_door=True) == "door"
    assert kind_of(door, "open", {"for": "ever"}, is_door=True) is None


def test_no_lift_takes_anything_and_no_meter_that_asks_for_a_password() -> None:
    profiles = [load_profile(name) for name in profile_names()]
    lifts = [it for it in profiles if it.kind == "lift"]
    assert lifts
    for lift in lifts:
        assert orderable(lift, is_door=True) == []
        for point in lift.points:
            assert kind_of(lift, "write", {"point": point.name, "value": "1"}, is_door=True) is None
        assert kind_of(lift, "open", {}, is_door=True) is None
    assert [it.name for it in profiles if it.protocol == "dlt645" and orderable(it, is_door=False)] == []
