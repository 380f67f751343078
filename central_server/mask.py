"""Personal data on a page: shown as little as the reader needs."""

from collections.abc import Callable

from central_server.rbac import Actor, Right

Mask = Callable[[str], str]


def mask_name(name: str) -> str:
    """Leave a name's first letter; an English one keeps the first letter of each word."""
    if name.isascii():
        return " ".join(f"{word[0]}." for word in name.split())
    return name and name[0] + "*" * min(2, max(1, len(name) - 1))


def mask_phone(phone: str) -> str:
    """Leave a number's first three and last four digits, such as 138****1234."""
    digits = "".join(letter for letter in phone if letter.isdigit())
    return f"{digits[:3]}****{digits[-4:]}" if len(digits) >= 9 else f"****{digits[-2:]}"


def name_mask(actor: Actor) -> Mask:
    """Give how names look to somebody: whole to whoever may see the records."""
    return str if actor.may(Right.RECORDS_SEE) else mask_name
