"""Cells of a table that is opened in a spreadsheet."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def is_formula(text: str) -> bool:
    """Tell whether a spreadsheet could take a text for a formula."""
    return text.startswith(_FORMULA)


def harmless(text: str) -> str:
    """Let a text of a CSV file stay a text: an apostrophe stands before what would run."""
    return f"'{text}" if is_formula(text) else text
