"""The claims and tables of coarse_to_fine are studies that can be run, in a setting that is fair to the other side."""

import pytest

from segfrontier.market import prices_for
from segfrontier.study.cells import expand
from segfrontier.study.claim_cells import all_cells, study_of
from segfrontier.study.claims import claims_of
from segfrontier.study.paper_tables import load_study, tables_of

TABLES = [table.id for table in tables_of("coarse_to_fine")]
CELLS = list(dict.fromkeys(all_cells(claims_of("coarse_to_fine"))))


def masks(cell):
    """(fine, coarse) that a cell's hours pay for."""
    fine, coarse = (prices_for("street").price(kind).seconds for kind in ("fine", "coarse"))
    knobs, seconds = dict(cell.knobs), round(3600 * (cell.hours or 0))
    split = {"fine": 1.0, "naive_student": 1.0, "coarse_to_fine": 0.0, "synthetic": 0.0}.get(cell.method, 0.5)
    bought = round(knobs.get("split", split) * seconds) // fine
    return bought, (seconds - bought * fine) // coarse if cell.method in ("coarse_to_fine", "fine+coarse") else 0


def test_every_claim_of_the_paper_is_there_and_has_cells():
    claims = claims_of("coarse_to_fine")
    assert len(claims.claims) >= 7
    seeds = {tuple(cell.seed for cell in expand(study_of(claims, *side))) for side in claims.sides()}
    assert seeds == {(0, 1, 2)}


def test_claims_share_their_cells():
    assert len(CELLS) < 0.7 * len(all_cells(claims_of("coarse_to_fine")))


def test_all_rows_have_the_same_steps_in_sum_and_the_paper_s_evaluation():
    assert {cell.recipe.total_steps for cell in CELLS} == {500}
    assert all(dict(cell.knobs)["multi_scale"] is True for cell in CELLS)
    assert {cell.recipe.scale for cell in CELLS} == {(0.5, 2.0)}, "trained at the scales that it is evaluated at"
    (world,) = {cell.world for cell in CELLS}
    assert "val=200" in world and "size=128x256" in world


def test_the_fine_side_has_at_least_25_masks():
    found = {masks(cell)[0] for cell in CELLS}
    assert found == {0, 25, 33, 159}, "no fine masks at all, or 25 and more"


def test_the_pool_is_all_bought_where_the_paper_buys_all_and_a_tenth_where_it_chooses():
    coarse = {(cell.hours, masks(cell)[1]) for cell in CELLS if cell.method == "coarse_to_fine"}
    assert {n for hours, n in coarse if hours < 10} == {43} and all(n >= 428 for hours, n in coarse if hours > 10)


def test_what_is_credited_with_an_effect_has_a_control_that_trains_as_long_without_it():
    controlled = {claim.id for claim in claims_of("coarse_to_fine").claims if any(p.controls for p in claim.compare)}
    assert controlled >= {
        "ours-leads-at-low-budgets", "iteration-1-beats-iteration-0", "model-based-beats-uniform-sampling",
        "ours-beats-semi-supervised-learning", "full-fine-score-at-a-fifth-of-the-hours",
    }  # fmt: skip


def test_where_a_method_that_trains_twice_leads_fine_with_the_same_compute_stands_beside_it():
    for claim in claims_of("coarse_to_fine").claims:
        for pairing in claim.compare:
            if pairing.a.knobs.get("iterations") == 1 and pairing.b.method != "coarse_to_fine":
                assert "fine" in {side.method for side in (pairing.b, *pairing.controls)}, claim.id


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_a_study(table):
    assert len(expand(load_study(f"coarse_to_fine:{table}"))) >= 3


def test_the_tables_that_the_paper_prints_are_there():
    assert {"table-2-cityscapes", "table-2-bdd100k", "table-3", "table-4", "fig-4-pairs", "fig-4-boundary"} <= set(
        TABLES
    )
