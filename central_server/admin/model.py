"""Accounts as forms ask for them and lists show them."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from central_server.form import FieldError
from central_server.rbac import Role

EVERY_SITE = "every"  # said in a form, so that nobody is let in everywhere by leaving a field alone


def _login(text: str) -> str:
    if not text.isprintable() or any(letter.isspace() for letter in text):
        raise FieldError("A login has letters, digits and marks, and no space.")
    return text


class ChangedAccount(BaseModel):
    """What can be changed of an account; ``site`` None means every site."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    role: Role
    site: Annotated[int | None, BeforeValidator(lambda text: None if text == EVERY_SITE else text)]
    language: Literal["zh", "en"] = "zh"


class NewAccount(ChangedAccount):
    """A new account; ``person`` is the code of the resident whom it belongs to."""

    login: Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_login)]
    person: str | None = None


class OwnPassword(BaseModel):
    """A person's new password, and the one until now."""

    current: str
    new: str
    again: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an account list is narrowed to."""

    search: str = ""
    role: Role | None = None
    state: Literal["", "active", "disabled"] = ""


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account; ``last_seen_at`` None for one that was never used."""

    id: int
    login: str
    name: str
    role: Role | None
    site_id: int | None
    site_name: str | None
    person_id: int | None
    language: str
    is_disabled: bool
    must_change: bool
    created_at: int
    last_seen_at: int | None

    @property
    def runs_everything(self) -> bool:
        """Tell whether this account can let others in again, at every site."""
        return self.role is Role.ADMINISTRATOR and self.site_id is None and not self.is_disabled


@dataclass(frozen=True, slots=True)
class Opened:
    """An account with the password to hand over, which is kept nowhere."""

    id: int
    login: str
    secret: str


@dataclass(frozen=True, slots=True)
class Site:
    id: int
    name: str
