"""The curriculum's straight lines: the vectors of FACTS 3e."""

from __future__ import annotations

import pytest

from segfrontier.maths import ramp, spell


def test_facts_3e_share_of_masked_pixels_counted_from_one() -> None:
    found = [ramp(epoch, start=0, end=1, over=10) for epoch in range(1, 13)]
    assert found == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1, 1])


def test_facts_3e_chance_of_the_source_by_epoch() -> None:
    found = [ramp(epoch, start=0.9, end=0.1, over=10) for epoch in range(12)]
    assert found == pytest.approx([0.9, 0.82, 0.74, 0.66, 0.58, 0.5, 0.42, 0.34, 0.26, 0.18, 0.1, 0.1])


def test_a_ramp_of_no_length_has_ended() -> None:
    assert ramp(0, start=0.9, end=0.1, over=0) == 0.1


@pytest.mark.parametrize(("steps", "spells"), [(40, 20), (41, 20), (60, 20), (7, 3)])
def test_spells_are_equally_long_and_all_there(steps: int, spells: int) -> None:
    found = [spell(step, steps=steps, spells=spells) for step in range(steps)]
    assert found == sorted(found) and set(found) == set(range(spells))
    lengths = [found.count(one) for one in range(spells)]
    assert max(lengths) - min(lengths) <= 1


def test_a_run_shorter_than_its_spells_passes_some_by() -> None:
    assert [spell(step, steps=4, spells=20) for step in range(4)] == [0, 5, 10, 15]


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="found -1 of 10"):
        ramp(-1, start=0, end=1, over=10)
    with pytest.raises(ValueError, match="found 4 of 4 in 2"):
        spell(4, steps=4, spells=2)
