"""The small picture of a day."""

from decimal import Decimal

from central_server.dashboard.spark import HEIGHT, WIDTH, spark
from central_server.dashboard.usage import Use


def test_bars_and_yesterday_share_one_scale() -> None:
    picture = spark([Use(Decimal(5)), Use(None)], [Use(Decimal(10)), Use(Decimal(0))])
    assert len(picture.bars) == 1
    assert picture.bars[0].height < HEIGHT / 2 + 1
    assert picture.before.split()[0].endswith(",2.0")


def test_nothing_leaves_the_box() -> None:
    picture = spark([Use(Decimal(number)) for number in range(24)], [Use(Decimal(30))] * 24)
    for bar in picture.bars:
        assert 0 <= bar.x <= bar.x + bar.width <= WIDTH
        assert 0 <= bar.y <= bar.y + bar.height <= HEIGHT


def test_a_day_without_any_use_draws_flat() -> None:
    assert spark([Use(Decimal(0))], []).bars[0].height == 0
    assert spark([], []).bars == ()
