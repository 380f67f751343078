"""Tariff files: TOML to a checked Tariff, every fault with its file, line and remedy."""

import difflib
import os
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from central_server.billing.canonical import digest
from central_server.billing.model import Component, Kind, Name, Tariff, Tier, TierPeriod, Version
from central_server.billing.money import EXACT, plain
from protocols.quantity import UNITS, canonical_unit
from protocols.toml import Document, Fault, Loc, SettingsError, faults, parse

ENVIRONMENT = "GATEHOUSE_TARIFFS"

_PRICE_PLACES = 8
_QUANTITY_PLACES = 6
_MONTHS = range(1, 13)


def _exact(value: object) -> object:
    if isinstance(value, float):
        raise ValueError(f'{value} is a binary fraction and not exact; write it in quotes: "{value}"')
    return value


Price = Annotated[Decimal, BeforeValidator(_exact), Field(ge=0, lt=10**6, decimal_places=_PRICE_PLACES)]
Amount = Annotated[Decimal, BeforeValidator(_exact), Field(ge=0, lt=10**12, decimal_places=_QUANTITY_PLACES)]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
Text = Annotated[str, Field(min_length=1)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Name(_Table):
    zh: Text
    en: Text


class _Component(_Table):
    key: Key
    name: _Name


class _Tier(_Table):
    lower: Amount = Field(alias="from")
    upper: Amount | None = Field(default=None, alias="to")
    price: Price
    parts: dict[str, Price] = {}
    months: list[Annotated[int, Field(ge=1, le=12)]] | None = None


class _Version(_Table):
    valid_from: date
    source: Text
    kind: Kind
    price: Price | None = None
    parts: dict[str, Price] = {}
    tier_period: TierPeriod | None = None
    tier: tuple[_Tier, ...] = ()
    component: tuple[_Component, ...] = ()

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> "_Version":
        if self.kind == "flat" and (self.price is None or self.tier or self.tier_period):
            raise ValueError("a flat tariff has a 'price', and neither 'tier' nor 'tier_period'")
        if self.kind == "tiered" and (self.price is not None or self.parts or not self.tier or not self.tier_period):
            raise ValueError("a tiered tariff has 'tier_period' and [[version.tier]], and no 'price' of its own")
        return self


class _File(_Table):
    code: Key
    name: _Name
    unit: str
    version: tuple[_Version, ...]


def _fields(table: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in table.model_fields.items()]


_KNOWN = {
    "": _fields(_File),
    "name": _fields(_Name),
    "version": _fields(_Version),
    "version.tier": _fields(_Tier),
    "version.component": _fields(_Component),
    "version.component.name": _fields(_Name),
}


def tariff_directory() -> Path:
    """Find the tariffs: the folder that GATEHOUSE_TARIFFS names, an installed wheel's, else the checkout's."""
    if named := os.environ.get(ENVIRONMENT):
        return Path(named)
    package = Path(__file__).resolve().parents[1]
    packaged = package / "_config" / "tariffs"
    return packaged if packaged.is_dir() else package.parent / "config" / "tariffs"


def load_tariff(path: Path) -> Tariff:
    """Load and check one tariff file.

    Raises: SettingsError with every fault found.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror or "cannot be read" if isinstance(error, OSError) else "is not UTF-8 text"
        raise SettingsError(
            [Fault(str(path), 0, "", reason, "Name a tariff file, for example one of config/tariffs.")]
        ) from None
    return read_tariff(text, str(path))


def load_tariffs(directory: Path | None = None) -> dict[str, Tariff]:
    """Load every tariff of a folder, by code; a file is named by its tariff's code.

    Raises: SettingsError with the faults of all files.
    """
    folder = directory or tariff_directory()
    found: dict[str, Tariff] = {}
    bad: list[Fault] = []
    if not folder.is_dir():
        raise SettingsError(
            [Fault(str(folder), 0, "", "is not a folder of tariffs", "Name the folder that holds them.")]
        )
    for path in sorted(folder.glob("*.toml")):
        try:
            tariff = load_tariff(path)
        except SettingsError as error:
            bad.extend(error.faults)
            continue
        if tariff.code != path.stem:
            remedy = f'Name the file {tariff.code}.toml or set code = "{path.stem}".'
            bad.append(Fault(str(path), 0, "code", f"the file of tariff '{tariff.code}' has another name", remedy))
        found[tariff.code] = tariff
    if bad:
        raise SettingsError(bad)
    return found


def nearest(code: str, tariffs: Mapping[str, Tariff]) -> str | None:
    """Guess which tariff a misspelt code means."""
    return next(iter(difflib.get_close_matches(code, tariffs, n=1)), None)


def read_tariff(text: str, file: str) -> Tariff:
    """Check the text of a tariff file.

    Raises: SettingsError with every fault found.
    """
    document = parse(text, file)
    try:
        read = _File.model_validate(document.data)
    except ValidationError as error:
        raise SettingsError(faults(document, error.errors(), _KNOWN)) from None
    with localcontext(EXACT):
        if found := list(_lint(document, read)):
            raise SettingsError(found)
        versions = tuple(_version(read, version) for version in read.version)
    return Tariff(read.code, Name(read.name.zh, read.name.en), read.unit, versions)


def _lint(document: Document, read: _File) -> Iterator[Fault]:
    if read.unit not in UNITS or canonical_unit(read.unit) != read.unit:
        remedy = "Meters are stored in kWh and m3; price by those."
        yield document.fault(("unit",), f"'{read.unit}' is not a unit that readings are stored in", remedy)
    if not read.version:
        yield document.fault(("version",), "the tariff has no prices", "Add a [[version]].")
    for index, version in enumerate(read.version):
        loc: Loc = ("version", index)
        before = read.version[index - 1] if index else None
        if before and version.valid_from <= before.valid_from:
            message = f"starts on {version.valid_from}, not after the version before it ({before.valid_from})"
            yield document.fault((*loc, "valid_from"), message, "List versions from the oldest to the newest.")
        keys = [component.key for component in version.component]
        if len(set(keys)) < len(keys):
            yield document.fault((*loc, "component"), "a component is named twice", "Give each its own key.")
        if version.price is not None:
            yield from _lint_parts(document, loc, version.price, version.parts, keys)
        for position, tier in enumerate(version.tier):
            yield from _lint_parts(document, (*loc, "tier", position), tier.price, tier.parts, keys)
            if tier.months == []:
                yield document.fault(
                    (*loc, "tier", position, "months"), "the tier is for no month", "List its months or remove the key."
                )
        yield from _lint_tiers(document, loc, version)


def _lint_parts(
    document: Document, loc: Loc, price: Decimal, parts: Mapping[str, Decimal], keys: list[str]
) -> Iterator[Fault]:
    if set(parts) != set(keys):
        names = ", ".join(keys) or "none"
        message = f"the parts ({', '.join(parts) or 'none'}) are not the components of this version ({names})"
        yield document.fault((*loc, "parts"), message, "Price each [[version.component]] once in every tier.")
    elif parts and (together := sum(parts.values(), Decimal(0))) != price:
        message = f"the parts sum to {plain(together)}, the price is {plain(price)}"
        yield document.fault((*loc, "parts"), message, "Correct the parts or the price.")


def _lint_tiers(document: Document, loc: Loc, version: _Version) -> Iterator[Fault]:
    seasonal = any(tier.months for tier in version.tier)
    if seasonal and version.tier_period == "year":
        yield document.fault(
            (*loc, "tier_period"), "a year's tiers have no seasons", "Remove 'months' or count by month."
        )
        return
    told: set[Fault] = set()
    for month in _MONTHS if seasonal else (1,):
        tiers = [(at, tier) for at, tier in enumerate(version.tier) if not tier.months or month in tier.months]
        season = f" in month {month}" if seasonal else ""
        if not tiers and version.tier:
            yield document.fault((*loc, "tier"), f"no tier covers month {month}", "Give every month its tiers.")
        for fault in _lint_season(document, loc, tiers, season):
            # Months of one season have the same faults; the first month tells them.
            bare = fault._replace(message=fault.message.removesuffix(season))
            if bare not in told:
                told.add(bare)
                yield fault


def _lint_season(document: Document, loc: Loc, tiers: list[tuple[int, _Tier]], season: str) -> Iterator[Fault]:
    end: Decimal | None = Decimal(0)
    last = len(tiers) - 1
    for order, (position, tier) in enumerate(tiers):
        at: Loc = (*loc, "tier", position)
        start = plain(tier.lower)
        if end is None or tier.lower < end:
            inside = (
                f"overlaps the tier before it, which ends at {plain(end)}"
                if end is not None
                else "follows an open tier"
            )
            remedy = "A tier begins where the one before it ends" + (
                f": set from = {plain(end)}." if end is not None else "."
            )
            yield document.fault((*at, "from"), f"the tier from {start} {inside}{season}", remedy)
        elif tier.lower > end:
            remedy = f"Tiers leave no gap: set from = {plain(end)}."
            yield document.fault((*at, "from"), f"no tier covers {plain(end)} to {start}{season}", remedy)
        if tier.upper is not None and tier.upper <= tier.lower:
            message = f"the tier ends at {plain(tier.upper)}, which is not above its start {start}{season}"
            yield document.fault((*at, "to"), message, "Set 'to' above 'from'.")
        if order == last and tier.upper is not None:
            yield document.fault(
                (*at, "to"),
                f"nothing prices a use above {plain(tier.upper)}{season}",
                "Remove 'to' from the last tier.",
            )
        if order < last and tier.upper is None:
            yield document.fault(
                at, f"only the last tier is open{season}", f"Add to = {plain(tiers[order + 1][1].lower)}."
            )
            end = tiers[order + 1][1].lower
        else:
            end = tier.upper


def _version(read: _File, version: _Version) -> Version:
    components = tuple(Component(item.key, Name(item.name.zh, item.name.en)) for item in version.component)
    if version.price is not None:
        tiers: tuple[Tier, ...] = (Tier(Decimal(0), None, version.price, _parts(version.parts, components)),)
    else:
        tiers = tuple(
            Tier(
                tier.lower,
                tier.upper,
                tier.price,
                _parts(tier.parts, components),
                None if tier.months is None else frozenset(tier.months),
            )
            for tier in version.tier
        )
    mark = digest(_said(read, version))
    return Version(version.valid_from, version.kind, version.tier_period, tiers, components, version.source, mark)


def _parts(parts: Mapping[str, Decimal], components: tuple[Component, ...]) -> tuple[Decimal, ...]:
    return tuple(parts[component.key] for component in components)


def _said(read: _File, version: _Version) -> dict[str, Any]:
    """Collect what a version says, so that a bill names the prices themselves and not just a file."""
    return {"code": read.code, "unit": read.unit, "version": version.model_dump(mode="json", by_alias=True)}
