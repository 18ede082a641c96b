"""Bytes that come in chunks of any size."""

import pytest

from erlen.exchange.pile import Pile


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [
        pytest.param([1024, 1024], [1024, 1024], id="as-they-come"),
        pytest.param([1] * 5000, [5000], id="tiny-ones-together"),
        pytest.param([2000, 0], [2000], id="empty-ones-nowhere"),
        pytest.param([1, 2000, 1, 1], [1, 2000, 2], id="in-their-order"),
    ],
)
def test_tiny_chunks_do_not_cost_an_object_each(sizes: list[int], kept: list[int]) -> None:
    pile = Pile()
    for number, size in enumerate(sizes):
        pile.add(bytes([number % 256]) * size)
    assert ([len(chunk) for chunk in pile.chunks], pile.size) == (kept, sum(sizes))
    assert pile.take() == b"".join(bytes([n % 256]) * size for n, size in enumerate(sizes))
