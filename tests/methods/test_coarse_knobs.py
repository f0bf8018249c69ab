"""The knobs of coarse_to_fine: bad values are told at once, and a study file reaches every one."""

from dataclasses import fields

import pytest

from segfrontier.errors import BadInput
from segfrontier.lab import make_method
from segfrontier.study.config import Study

BAD = [
    ({"above": 1.0}, r"threshold `above` in \(0, 1\); found 1.0"),
    ({"above": 0.0}, r"threshold `above` in \(0, 1\)"),
    ({"above": -2}, r"threshold `above` in \(0, 1\)"),
    ({"above": float("nan")}, r"threshold `above` in \(0, 1\)"),
    ({"iterations": -1}, "iterations >= 0"),
    ({"mixing": 1.5}, "a chance `mixing`"),
    ({"synthetic_share": 1.0}, "a `synthetic_share`"),
    ({"synthetic_images": 0}, "synthetic_images >= 1"),
    ({"boundary": -1.0}, "a weight `boundary` >= 0"),
    ({"boundary_temperature": 0.0}, "a boundary_temperature above 0"),
    ({"boundary_weights": (0.5, -0.5)}, "boundary_weights >= 0"),
    ({"scales": ()}, "one or more `scales`"),
    ({"scales": (0.0, 1.0)}, "one or more `scales`"),
    ({"first": 0}, "a `first` set"),
    ({"present_above": 1.0}, "a share `present_above`"),
    ({"synthetic_share": 0.0}, "set boundary: 0"),
    ({"split": 1.0}, r"a split in \[0, 1\)"),
    ({"mix": "coarse<-fine"}, r"a split in \(0, 1\) where fine images are pasted"),
    ({"mix": "fine<-fine", "iterations": 0}, "split 1 "),
    ({"mix": "fine<-synthetic", "split": 1.0}, "iterations 0 where no coarse masks"),
    ({"mix": "synthetic<-coarse"}, "mix: must be 'coarse<-synthetic'"),
    ({"start": "middle"}, "start: must be 'encoder' or 'last'"),
    ({"selection": "most"}, "selection: must be 'bernoulli'"),
    ({"boundery": 1.0}, "found 'boundery': did you mean 'boundary'"),
]


@pytest.mark.parametrize(("knobs", "told"), BAD)
def test_a_bad_knob_is_told_when_the_method_is_made(knobs, told):
    with pytest.raises(BadInput, match=told):
        make_method("coarse_to_fine", knobs)


OTHERS = {
    "iterations": 0, "start": "last", "pseudo_labels": False, "split": 1.0, "mix": "fine<-synthetic",
    "mixing": 0.25, "selection": "quarter",
    "mixed": "beside", "synthetic_share": 0.25, "synthetic_images": 7, "boundary": 10.0, "boundary_noise": False,
    "boundary_temperature": 1.0, "boundary_border": "zero", "boundary_epsilon": 1e-6, "boundary_normalise": True,
    "boundary_threshold": 1e-4, "boundary_weights": [0.3, 0.7], "above": 0.95, "inclusive": True,
    "mean_of": "probabilities", "scales": [1.0, 1.5], "flips": False, "sampling": "uniform", "first": 12,
    "present_above": 0.01, "note_iterations": False, "multi_scale": True,
}  # fmt: skip


def test_a_study_file_reaches_every_knob():
    study = Study.model_validate(
        {"name": "all", "methods": [{"name": "coarse_to_fine", "knobs": OTHERS}], "budgets": 5, "recipe": {}}
    )
    knobs = {name: value[0] for name, value in study.methods[0].choices().items()}
    method = make_method("coarse_to_fine", knobs)
    assert set(OTHERS) == {f.name for f in fields(method)}
    for field in fields(method):
        value = getattr(method, field.name)
        assert value != field.default, f"{field.name} is still at its default"
        assert value == (tuple(OTHERS[field.name]) if isinstance(value, tuple) else OTHERS[field.name])


def test_a_study_of_splits_can_hold_it_beside_fine_after_coarse():
    study = Study.model_validate(
        {
            "name": "s",
            "methods": ["coarse_to_fine", "fine+coarse"],
            "budgets": 5,
            "splits": [{"fine": 0.4, "coarse": 0.6}],
        }
    )
    assert len(study.methods) == 2


@pytest.mark.parametrize("knobs", [{"iterations": 0}, {"unlabelled": 0}, {"above": 1.0}, {"scales": ()}])
def test_a_bad_knob_of_naive_student_is_told(knobs):
    with pytest.raises(BadInput, match="naive_student needs"):
        make_method("naive_student", knobs)
