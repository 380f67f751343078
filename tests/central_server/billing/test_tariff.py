"""A tariff file is right, or every fault in it has a line and a remedy."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from central_server.billing.tariff import load_tariff, load_tariffs, nearest, read_tariff
from protocols.toml import Fault, SettingsError

HEAD = """\
code = "mine"
name = { zh = "我的", en = "Mine" }
unit = "kWh"

[[version]]
valid_from = 2020-01-01
source = "the contract"
"""
FLAT = HEAD + 'kind = "flat"\nprice = "0.8"\n'
TIERED = HEAD + 'kind = "tiered"\ntier_period = "year"\n'


def tier(lower: str, upper: str | None, price: str = '"0.5"', more: str = "") -> str:
    return f"\n[[version.tier]]\nfrom = {lower}\n" + (f"to = {upper}\n" if upper else "") + f"price = {price}\n{more}"


def faults_of(text: str) -> list[Fault]:
    with pytest.raises(SettingsError) as caught:
        read_tariff(text, "mine.toml")
    return caught.value.faults


def the_fault(text: str) -> Fault:
    found = faults_of(text)
    assert len(found) == 1, found
    return found[0]


def test_every_tariff_in_the_box_loads_and_names_its_source() -> None:
    tariffs = load_tariffs()
    assert {
        "beijing-electricity-residential",
        "beijing-water-residential",
        "shenzhen-electricity-residential",
        "flat-electricity",
        "flat-water",
    } <= set(tariffs)
    assert all(version.source for tariff in tariffs.values() for version in tariff.versions)


def test_tiers_that_touch_from_zero_to_open_are_right() -> None:
    tariff = read_tariff(TIERED + tier("0", "10") + tier("10", '"20.5"') + tier('"20.5"', None), "mine.toml")
    assert [(each.lower, each.upper) for each in tariff.versions[0].tiers] == [
        (Decimal(0), Decimal(10)),
        (Decimal(10), Decimal("20.5")),
        (Decimal("20.5"), None),
    ]


def test_overlapping_tiers_are_told_with_the_line_and_the_number_to_set() -> None:
    fault = the_fault(TIERED + tier("0", "2880") + tier("2800", None))
    assert (fault.line, fault.key) == (17, "version[1].tier[2].from")
    assert fault.message == "the tier from 2800 overlaps the tier before it, which ends at 2880"
    assert "set from = 2880" in fault.remedy


def test_a_gap_between_tiers_is_told_with_what_it_leaves_out() -> None:
    fault = the_fault(TIERED + tier("0", "2880") + tier("2900", None))
    assert (fault.line, fault.message) == (17, "no tier covers 2880 to 2900")
    assert "set from = 2880" in fault.remedy


def test_tiers_start_at_zero() -> None:
    assert the_fault(TIERED + tier("5", None)).message == "no tier covers 0 to 5"


def test_the_last_tier_is_open() -> None:
    fault = the_fault(TIERED + tier("0", "10") + tier("10", "20"))
    assert (fault.line, fault.message) == (18, "nothing prices a use above 20")


def test_only_the_last_tier_is_open() -> None:
    fault = the_fault(TIERED + tier("0", None) + tier("10", None))
    assert (fault.line, fault.message, fault.remedy) == (11, "only the last tier is open", "Add to = 10.")


def test_a_tier_ends_above_its_start() -> None:
    assert any("not above its start" in fault.message for fault in faults_of(TIERED + tier("0", "0") + tier("0", None)))


def test_an_unknown_key_is_met_with_the_nearest_one() -> None:
    fault = the_fault(TIERED + tier("0", None, more='prize = "1"\n'))
    assert (fault.line, fault.key) == (14, "version[1].tier[1].prize")
    assert fault.remedy == "Did you mean 'price'?"


def test_a_negative_price_is_refused() -> None:
    fault = the_fault(TIERED + tier("0", None, price='"-0.1"'))
    assert (fault.line, fault.key) == (13, "version[1].tier[1].price")
    assert "greater than or equal to 0" in fault.message


def test_a_price_that_is_a_binary_fraction_is_refused_with_the_text_to_write() -> None:
    fault = the_fault(TIERED + tier("0", None, price="0.4883"))
    assert fault.line == 13
    assert 'write it in quotes: "0.4883"' in fault.message


@pytest.mark.parametrize("price", ['"nan"', '"inf"', '"0.123456789"', '"a"', '"10000000"', "true"])
def test_a_price_is_a_number_of_at_most_eight_places(price: str) -> None:
    assert the_fault(TIERED + tier("0", None, price=price)).key == "version[1].tier[1].price"


def test_a_unit_that_readings_are_not_stored_in_is_refused() -> None:
    fault = the_fault(FLAT.replace('unit = "kWh"', 'unit = "MWh"'))
    assert (fault.line, fault.key) == (3, "unit")


def test_parts_that_do_not_sum_to_the_price_are_told_in_figures() -> None:
    component = '\n[[version.component]]\nkey = "energy"\nname = { zh = "电", en = "Energy" }\n'
    fault = the_fault(FLAT + 'parts = { energy = "0.7" }\n' + component)
    assert (fault.line, fault.message) == (10, "the parts sum to 0.7, the price is 0.8")


def test_parts_are_those_the_version_names() -> None:
    fault = the_fault(FLAT + 'parts = { tax = "0.8" }\n')
    assert fault.message == "the parts (tax) are not the components of this version (none)"


def test_a_component_has_one_key() -> None:
    component = '\n[[version.component]]\nkey = "energy"\nname = { zh = "电", en = "Energy" }\n'
    fault = the_fault(FLAT + 'parts = { energy = "0.8" }\n' + component + component)
    assert fault.message == "a component is named twice"


def test_versions_ascend() -> None:
    again = FLAT[FLAT.index("[[version]]") :]
    fault = the_fault(FLAT + "\n" + again)
    assert (fault.line, fault.key) == (12, "version[2].valid_from")


def test_the_version_in_force_is_the_last_that_has_begun() -> None:
    later = FLAT[FLAT.index("[[version]]") :].replace("2020-01-01", "2026-07-01").replace("0.8", "0.9")
    tariff = read_tariff(FLAT + "\n" + later, "mine.toml")
    prices = []
    for on in (date(2019, 12, 31), date(2020, 1, 1), date(2026, 6, 30), date(2026, 7, 1)):
        version = tariff.version_on(on)
        prices.append(version and version.tiers[0].price)
    assert prices == [None, Decimal("0.8"), Decimal("0.8"), Decimal("0.9")]


@pytest.mark.parametrize(
    "text",
    [
        FLAT.replace('price = "0.8"\n', ""),
        TIERED,
        FLAT + 'tier_period = "year"\n',
        TIERED + 'price = "1"\n' + tier("0", None),
    ],
)
def test_a_version_has_the_keys_of_its_kind_and_no_others(text: str) -> None:
    assert the_fault(text).line == 5


def test_a_season_without_tiers_is_told_once() -> None:
    text = TIERED.replace("year", "month") + tier("0", None, more="months = [5, 6, 7, 8, 9, 10]\n")
    assert [fault.message for fault in faults_of(text)] == [
        f"no tier covers month {month}" for month in (1, 2, 3, 4, 11, 12)
    ]


def test_a_gap_in_one_season_is_told_once_for_its_months() -> None:
    text = (
        TIERED.replace("year", "month")
        + tier("0", "5", more="months = [1, 2, 3, 4, 5, 6]\n")
        + tier("6", None, more="months = [1, 2, 3, 4, 5, 6]\n")
        + tier("0", None, more="months = [7, 8, 9, 10, 11, 12]\n")
    )
    assert the_fault(text).message == "no tier covers 5 to 6 in month 1"


def test_tiers_of_a_year_have_no_seasons() -> None:
    assert the_fault(TIERED + tier("0", None, more="months = [5]\n")).message == "a year's tiers have no seasons"


def test_a_syntax_error_names_its_line() -> None:
    assert the_fault('code = "mine"\nname = {\n').line == 2


def test_a_missing_key_is_named() -> None:
    assert {fault.key for fault in faults_of("")} == {"code", "name", "unit", "version"}


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml: No such file or directory\. Name a tariff file"):
        load_tariff(tmp_path / "nowhere.toml")


def test_a_file_is_named_by_its_code_and_faults_of_all_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(FLAT, encoding="utf-8")
    (tmp_path / "broken.toml").write_text("code = 1", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_tariffs(tmp_path)
    assert {Path(fault.file).name for fault in caught.value.faults} == {"other.toml", "broken.toml"}


def test_the_digest_changes_with_any_price_and_not_with_a_comment() -> None:
    plain, commented, dearer = (
        read_tariff(text, "mine.toml").versions[0].digest
        for text in (FLAT, "# a note\n" + FLAT, FLAT.replace("0.8", "0.81"))
    )
    assert plain == commented != dearer


def test_a_misspelt_code_finds_its_tariff() -> None:
    assert nearest("bejing-water-residential", load_tariffs()) == "beijing-water-residential"
    assert nearest("zzz", load_tariffs()) is None


def test_an_operators_own_folder_of_tariffs_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.toml").write_text(FLAT, encoding="utf-8")
    monkeypatch.setenv("GATEHOUSE_TARIFFS", str(tmp_path))
    assert list(load_tariffs()) == ["mine"]


def test_a_tariff_has_prices_and_a_tier_its_months() -> None:
    assert the_fault(FLAT[: FLAT.index("[[version]]")] + "version = []\n").message == "the tariff has no prices"
    assert "the tier is for no month" in [
        fault.message for fault in faults_of(TIERED.replace("year", "month") + tier("0", None, more="months = []\n"))
    ]
