"""Passwords: which are taken, and argon2id hashes of them, made beside the loop."""

import asyncio
import re
import secrets
import unicodedata
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from central_server.form import Problem
from central_server.rbac import Role

LEAST, ADMINISTRATOR_LEAST, MOST = 8, 12, 256
_COMMON = Path(__file__).parent / "common_passwords.txt"

_hasher = PasswordHasher()
# Someone unknown costs as much time as someone known, or the time would tell who exists.
_NOBODY = _hasher.hash(secrets.token_urlsafe(16))
# Each hash takes 64 MiB; a storm of sign-ins must not take all of memory.
_hashing = ThreadPoolExecutor(2, thread_name_prefix="argon2")


def problem_of(password: str, role: Role, names: Iterable[str] = ()) -> Problem | None:
    """Say why a password cannot be taken, None where it can; ``names`` are words that everybody here knows."""
    least = ADMINISTRATOR_LEAST if role is Role.ADMINISTRATOR else LEAST
    if not least <= len(password) <= MOST:
        return Problem("A password has {least} to {most} characters.", {"least": least, "most": MOST})
    plain = unicodedata.normalize("NFKC", password).casefold()
    core = _core(plain)
    known = {_core(name.casefold()) for name in names if len(_core(name.casefold())) > 1}
    if plain in _common() or core in _common() or core in known or _is_run(plain):
        return Problem("This password is one of the first that somebody would try. Choose another.")
    return None


def _core(text: str) -> str:
    """Leave the word of "Password123!", where all that was added is digits and marks."""
    return re.sub(r"^[\W\d_]+|[\W\d_]+$", "", text)


def _is_run(text: str) -> bool:
    """Tell one character over and over, and runs such as 12345678 and hgfedcba."""
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    return len(steps) == 1 and steps <= {-1, 0, 1}


@cache
def _common() -> frozenset[str]:
    words = (line.split("#")[0].split() for line in _COMMON.read_text(encoding="utf-8").splitlines())
    return frozenset(word for line in words for word in line)


def new_secret() -> str:
    """Make a password to hand over: easy to read out, 79 bits, never chosen by anybody."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4))


async def hash_password(password: str) -> str:
    return await asyncio.get_running_loop().run_in_executor(_hashing, _hasher.hash, password)


async def nobodys_hash() -> str:
    """Make a hash that no password fits, for an account that is not opened by one."""
    return await hash_password(secrets.token_urlsafe(32))


async def is_right(hashed: str | None, password: str) -> bool:
    """Compare a password with a hash; without one it takes the same time."""
    try:
        fits = await asyncio.get_running_loop().run_in_executor(
            _hashing, _hasher.verify, hashed or _NOBODY, password[:MOST]
        )
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False
    return fits and hashed is not None and len(password) <= MOST


def is_outdated(hashed: str) -> bool:
    """Tell whether a hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(hashed)
