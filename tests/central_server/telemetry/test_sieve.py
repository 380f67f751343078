"""What no table can take is kept out, and its neighbours count."""

from hypothesis import given
from hypothesis import strategies as st

from central_server.telemetry.sieve import sifted
from protocols.sync import Series, SeriesColumn

_FAR = 4_102_444_800_001
_instants = st.integers(-5, 5) | st.integers(_FAR - 3, _FAR + 3)


def column(*at: int, device: str = "em-1") -> SeriesColumn:
    numbers = range(1, len(at) + 1)
    return SeriesColumn(Series(device, "p", "W"), 0, list(numbers), list(at), list(numbers), bytes(len(at)))


@given(st.lists(_instants, min_size=1))
def test_every_reading_is_either_kept_or_set_aside(at: list[int]) -> None:
    kept, refused = sifted([column(*at)])
    good = [instant for instant in at if 0 <= instant < _FAR]
    assert [instant for each in kept for instant in each.at] == good
    assert all(len(each.at) == len(each.seqs) == len(each.mantissas) == len(each.qualities) for each in kept)
    assert [at[seq - 1] for each in kept for seq in each.seqs] == good
    assert len(refused) == (len(good) < len(at))


def test_a_series_whose_name_is_too_long_is_set_aside_as_one() -> None:
    kept, (refused,) = sifted([column(1, 2, 3, device="x" * 65), column(4)])
    assert (len(kept), refused.seq, refused.reason) == (1, 1, "name-too-long")
    assert "3 readings up to number 3" in refused.detail
