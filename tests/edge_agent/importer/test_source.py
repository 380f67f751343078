"""Whatever is handed to an import, it ends quickly and with one clear sentence."""

import json
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.profile import parse_profile
from edge_agent.importer.homeassistant import read_homeassistant
from edge_agent.importer.ledger import Ledger
from edge_agent.importer.source import MOST_BYTES, leaves, read_json, read_yaml
from edge_agent.importer.thingsboard import read_thingsboard
from edge_agent.importer.write import write_import
from protocols.toml import SettingsError, parse

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10)
)
MERGED = "a0: &a0 {x: 1}\n" + "".join(
    f"a{level}: &a{level}\n  <<: [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10)
)
BAD_YAML = {
    "laughs": LAUGHS,
    "merges": MERGED,
    "of itself": "a: &a [*a]\n",
    "deep": "[" * 5000,
    "deep and whole": "[" * 900 + "]" * 900,
    "tabs": "modbus:\n\t- name: x\n",
    "no alias": "modbus: *nobody\n",
    "two documents": "a: 1\n---\nb: 2\n",
    "control": "a: \x07\n",
    "no number": "modbus: [{type: tcp, host: h, sensors: .nan}]\nmodbus: .inf\n",
    "date": "a: 2024-13-45\n",
    "empty": "",
    "a word": "hello",
    "no hub": "modbus: []\n",
    "python": "a: !!python/name:os.system\n",
    "binary": "a: !!binary '%%%'\n",
    "set": "? {a: 1}\n: 2\n",
}
BAD_JSON = {
    "empty": "",
    "a word": '"hello"',
    "list": "[]",
    "deep": '{"a":' * 50_000,
    "deep and whole": "[" * 500 + "]" * 500,
    "twice": '{"master": 1, "master": 2}',
    "not a number": '{"master": NaN}',
    "long number": '{"master": ' + "9" * 5000 + "}",
    "comma": '{\n"master": 1,\n}',
    "no slaves": '{"master": {"slaves": []}}',
    "slaves of text": '{"master": {"slaves": ["x"]}}',
    "surrogate": '{"master": "\\ud800"}',
}


@pytest.mark.parametrize("name", BAD_YAML)
def test_a_bad_yaml_file_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    file = tmp_path / "modbus.yaml"
    file.write_text(BAD_YAML[name])
    begun = time.perf_counter()
    with pytest.raises(SettingsError) as caught:
        read_homeassistant(Ledger(read_yaml(file)))
    assert time.perf_counter() - begun < 5
    (fault,) = caught.value.faults
    assert fault.remedy
    assert fault.file == str(file)


@pytest.mark.parametrize("name", BAD_JSON)
def test_a_bad_json_file_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    file = tmp_path / "modbus.json"
    file.write_text(BAD_JSON[name])
    with pytest.raises(SettingsError) as caught:
        read_thingsboard(Ledger(read_json(file)))
    (fault,) = caught.value.faults
    assert fault.remedy
    if name == "comma":
        assert fault.line in (2, 3)


def test_a_huge_file_is_not_even_read(tmp_path: Path) -> None:
    file = tmp_path / "modbus.json"
    file.write_bytes(b" " * (MOST_BYTES + 1))
    with pytest.raises(SettingsError, match="more than 1 MB"):
        read_json(file)


_WORDS = st.sampled_from(
    [
        "name",
        "type",
        "tcp",
        "serial",
        "host",
        "port",
        "sensors",
        "switches",
        "climates",
        "covers",
        "address",
        "slave",
        "data_type",
        "float32",
        "custom",
        "count",
        "structure",
        ">f",
        "swap",
        "word",
        "scale",
        "offset",
        "verify",
        "kWh",
        "unit_of_measurement",
        "nan_value",
        "virtual_count",
        "hvac_mode_register",
        "values",
        "input_type",
        "coil",
        "master",
        "slaves",
        "timeseries",
        "rpc",
        "functionCode",
        "objectsCount",
        "bits",
        "16int",
        "unitId",
        "divider",
    ]
)
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 70_000),
    st.floats(allow_nan=False, allow_infinity=False),
    _WORDS,
    st.text(max_size=4),
)
_TREES = st.recursive(
    _LEAVES, lambda it: st.one_of(st.lists(it, max_size=3), st.dictionaries(_WORDS, it, max_size=5)), max_leaves=12
)
_SENSOR = st.fixed_dictionaries(
    {"address": st.integers(-1, 99)},
    optional={
        "name": st.text(),
        "scale": _LEAVES,
        "data_type": st.sampled_from(["float32", "uint64", "int16"]),
        "input_type": st.sampled_from(["coil", "input", "holding"]),
        "scan_interval": st.floats(0, 1e6),
        "slave": st.integers(0, 3),
    },
)
_ROWS = st.lists(st.one_of(st.dictionaries(_WORDS, _TREES, max_size=6), _SENSOR), max_size=3)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["sensors", "switches", "climates", "covers", "binary_sensors"]), _ROWS))
def test_whatever_stands_in_a_hub_nothing_is_lost_and_nothing_breaks(tmp_path: Path, rows: dict[str, object]) -> None:
    file = tmp_path / "any.yaml"
    file.write_text(yaml.safe_dump({"modbus": [{"type": "tcp", "host": "h", "port": 502, **rows}]}))
    ledger = Ledger(read_yaml(file))
    plans = read_homeassistant(ledger)
    told = [entry.path for entry in ledger.entries()]
    assert all(any(leaf[: len(path)] == path for path in told) for leaf in leaves(ledger.source.data))
    written = write_import(plans, ledger, "Imported", "profiles", lambda kind, bus, address: None)
    for name, text in written.profiles.items():
        assert parse_profile(text, name, name).points
    assert parse(written.settings, "edge.toml").data["edge"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_ROWS, st.dictionaries(_WORDS, _TREES, max_size=5))
def test_whatever_stands_in_a_slave_nothing_breaks(tmp_path: Path, rows: object, more: dict[str, object]) -> None:
    file = tmp_path / "any.json"
    file.write_text(json.dumps({"master": {"slaves": [{**more, "timeseries": rows, "rpc": rows}]}}))
    ledger = Ledger(read_json(file))
    read_thingsboard(ledger)
    assert ledger.entries()
