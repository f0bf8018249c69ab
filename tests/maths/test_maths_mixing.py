"""Mixing: which classes are pasted, and where; FACTS.md's vectors."""

from __future__ import annotations

import pytest
import torch

from segfrontier.maths import choose_classes, class_mask, classes_present, paste

LABEL = torch.tensor([[[0, 0, 1], [2, 2, 255]]])


def test_facts_0e_mask_and_mix_without_void() -> None:
    chosen = torch.tensor([[True, False, False]])  # FACTS chooses {0, 255}; here 255 cannot be chosen
    mask = class_mask(LABEL, chosen)
    assert mask.int().tolist() == [[[1, 1, 0], [0, 0, 0]]]
    mixed = paste(mask, torch.full_like(LABEL, 1), torch.full_like(LABEL, 9))
    assert mixed.tolist() == [[[1, 1, 9], [9, 9, 9]]]


@pytest.mark.parametrize(
    ("selection", "counts"),
    [
        ("half", [1, 1, 2, 2, 3, 3, 4, 4]),  # DACS
        ("half_down", [0, 1, 1, 2, 2, 3, 3, 4]),  # ClassMix
        ("quarter", [0, 0, 1, 1, 1, 1, 2, 2]),  # WDASS
    ],
)
def test_facts_0e_how_many_classes_are_chosen(selection: str, counts: list[int]) -> None:
    present = torch.tril(torch.ones(8, 8, dtype=torch.bool))  # image i shows i + 1 classes
    chosen = choose_classes(present, torch.rand(8, 8), selection=selection)
    assert chosen.sum(1).tolist() == counts
    assert not (chosen & ~present).any()


def test_counted_selections_choose_every_class_as_often() -> None:
    present = torch.zeros(4000, 6, dtype=torch.bool)
    present[:, [1, 3, 4, 5]] = True
    uniform = torch.rand(present.shape, generator=torch.Generator().manual_seed(0))
    shares = choose_classes(present, uniform, selection="half").float().mean(0)
    assert torch.all(shares[[0, 2]] == 0)
    torch.testing.assert_close(shares[[1, 3, 4, 5]], torch.full((4,), 0.5), atol=0.03, rtol=0)


def test_bernoulli_takes_each_present_class_by_itself() -> None:
    present = torch.tensor([[True, True, False, True]])
    uniform = torch.tensor([[0.2, 0.5, 0.1, 0.49]])
    assert choose_classes(present, uniform, selection="bernoulli").tolist() == [[True, False, False, True]]


def test_presence_is_what_the_labels_show() -> None:
    assert classes_present(LABEL, num_classes=4).tolist() == [[True, True, True, False]]
    assert not classes_present(torch.full((2, 3, 3), 255), num_classes=3).any()


@pytest.mark.parametrize("selection", ["bernoulli", "half", "half_down", "quarter"])
def test_void_is_never_pasted(selection: str) -> None:
    source = torch.Generator().manual_seed(2)
    labels = torch.randint(0, 5, (50, 6, 7), generator=source)
    labels[torch.rand(labels.shape, generator=source) < 0.4] = 255
    present = classes_present(labels, num_classes=5)
    mask = class_mask(labels, choose_classes(present, torch.rand(present.shape, generator=source), selection=selection))
    assert mask.any() and not mask[labels == 255].any()


def test_pixels_and_labels_are_pasted_together() -> None:
    mask = torch.tensor([[[True, False]]])
    image = paste(mask, torch.ones(1, 3, 1, 2), torch.zeros(1, 3, 1, 2))
    assert image[0, :, 0].tolist() == [[1, 0]] * 3


def test_an_unknown_selection_is_refused() -> None:
    with pytest.raises(ValueError, match="found 'all'"):
        choose_classes(torch.ones(1, 2, dtype=torch.bool), torch.rand(1, 2), selection="all")
