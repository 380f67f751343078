"""What is wrong with a row that somebody wants to bring in."""

from dataclasses import dataclass

from central_server.form import Problem


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that cannot be taken.

    Shape: ``index`` counts a table's rows from 0; ``key`` is the row's field, "" for all of it. What is
    wrong is a part of a sentence without a full stop; ``remedy`` is a sentence, where there is one.
    """

    table: str
    index: int
    key: str
    problem: Problem
    remedy: Problem | None = None


def english(problem: Problem | None) -> str:
    """Say a problem in English, as the command line does."""
    return "" if problem is None else problem.text.format(**problem.fields)
