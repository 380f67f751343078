"""A recording comes back from its file as it was made, and a file that is none is told as such."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.capture_file import CaptureError, Chunk, Head, capture_text, lost_line, parse_capture

HEAD = Head("line-1", {"kind": "serial", "baudrate": 2400}, "2026-11-23T14:00:00.000Z", ("dlt645",))
times = st.integers(0, 10**9).map(lambda micros: micros / 1_000_000)


@given(st.lists(st.builds(Chunk, times, st.booleans(), st.binary(min_size=1, max_size=40)), max_size=8))
def test_what_was_recorded_comes_back(chunks: list[Chunk]) -> None:
    found = parse_capture(capture_text(HEAD, chunks), "x.jsonl")
    assert (found.head, found.chunks, found.lost) == (HEAD, tuple(chunks), 0)


def test_a_line_is_what_the_documentation_says() -> None:
    text = capture_text(HEAD, [Chunk(0.0012344, True, b"\x68\x16")])
    head, line = map(json.loads, text.splitlines())
    assert (head["format"], head["version"], head["bus"]) == ("gatehouse-capture", 1, "line-1")
    assert line == {"t": 0.001234, "dir": "out", "hex": "6816"}


def test_a_recording_that_was_cut_off_keeps_its_whole_lines() -> None:
    text = capture_text(HEAD, [Chunk(0.0, True, b"ab"), Chunk(0.1, False, b"cd")])
    found = parse_capture(text[:-6], "x.jsonl")
    assert [chunk.data for chunk in found.chunks] == [b"ab"]


def test_pieces_that_are_missing_are_counted() -> None:
    text = capture_text(HEAD, [Chunk(0.0, True, b"ab")]) + lost_line(1.0, 12) + "\n"
    assert parse_capture(text, "x.jsonl").lost == 12


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "x.jsonl is empty. Name a file that 'edge capture' has written."),
        ("{}", "x.jsonl is not a recording of a line."),
        ("[1]", "x.jsonl is not a recording of a line."),
        ("null", "x.jsonl is not a recording of a line."),
        (capture_text(HEAD, []).replace('"version": 1', '"version": 2'), "has version 2; this program reads 1"),
        (capture_text(HEAD, []) + "oops\n" + '{"t": 0, "dir": "in", "hex": ""}\n', "x.jsonl:2: this is no line"),
        (capture_text(HEAD, []) + '{"t": 0, "dir": "up", "hex": ""}\n{"lost": 1}\n', "x.jsonl:2: this is no line"),
        (capture_text(HEAD, []) + '{"t": 0, "dir": "in", "hex": "0g"}\n{"lost": 1}\n', "x.jsonl:2: this is no line"),
    ],
)
def test_what_is_no_recording_is_told_with_file_line_and_remedy(text: str, words: str) -> None:
    with pytest.raises(CaptureError) as told:
        parse_capture(text, "x.jsonl")
    assert words in str(told.value)
