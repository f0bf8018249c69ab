"""The claims and tables of coarse_to_fine are studies that can be run."""

import pytest

from segfrontier.study.cells import expand
from segfrontier.study.claim_cells import all_cells, study_of
from segfrontier.study.claims import claims_of
from segfrontier.study.paper_tables import load_study, tables_of

TABLES = [table.id for table in tables_of("coarse_to_fine")]


def test_every_claim_of_the_issue_is_there_and_has_cells():
    claims = claims_of("coarse_to_fine")
    assert len(claims.claims) >= 7
    seeds = {tuple(cell.seed for cell in expand(study_of(claims, *side))) for side in claims.sides()}
    assert seeds == {(0, 1, 2, 3)}


def test_claims_share_their_cells():
    cells = all_cells(claims_of("coarse_to_fine"))
    assert len(set(cells)) < 0.8 * len(cells)


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_a_study(table):
    assert len(expand(load_study(f"coarse_to_fine:{table}"))) >= 3


def test_the_tables_that_the_paper_prints_are_there():
    assert {"table-2-cityscapes", "table-2-bdd100k", "table-3", "table-4", "fig-4-pairs", "fig-4-boundary"} <= set(
        TABLES
    )
