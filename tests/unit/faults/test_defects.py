"""The catalogue of seeded defects follows the code, and switching one on changes what is imported and nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest

from faults.defects.accepting_defects import ACCEPTING
from faults.defects.accounting_defects import ACCOUNTING
from faults.defects.catalogue import DEFECTS, defect_of
from faults.defects.committing_defects import COMMITTING
from faults.defects.edge_defects import EDGE
from faults.defects.release_defects import RELEASES
from faults.defects.releasing_defects import RELEASING
from faults.defects.seeding import ROOT, Change, Defect, OutdatedDefectError, seed
from faults.defects.sidecar_defects import SIDECAR
from faults.defects.store_defects import STORES

SHOW = "from choreography.engine.identity import derived_id; print(derived_id.__code__.co_names)"


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=list(DEFECTS))
def test_a_defect_finds_the_code_it_changes(defect: Defect) -> None:
    """A change of the code must also move the defect; otherwise it would silently prove nothing."""
    for change in defect.changes:
        assert change.path.read_text().count(change.old) == 1
        compile(change.path.read_text().replace(change.old, change.new), change.module, "exec")


def test_no_two_defects_have_one_name() -> None:
    """The dictionary of defects would keep only one of them."""
    every = (ACCEPTING, ACCOUNTING, COMMITTING, EDGE, RELEASES, RELEASING, SIDECAR, STORES)
    assert len(DEFECTS) == sum(map(len, every))


def test_code_that_moved_on_is_told() -> None:
    """Without the message, a defect without effect would count as unnoticed by the tests."""
    gone = Defect("gone", 0, "nothing", (Change("choreography.engine.memory", "this was never there", ""),))
    with pytest.raises(OutdatedDefectError, match="stands 0 times"):
        seed(gone)


def test_an_unknown_defect_is_told() -> None:
    """The message lists the known ones."""
    with pytest.raises(LookupError, match="random-ids"):
        defect_of("no such defect")


def test_a_process_that_is_told_to_has_the_defect() -> None:
    """The processes of a fault run are started in the same way."""
    honest, seeded = (
        subprocess.run(
            [sys.executable, "-c", SHOW],
            env={"PYTHONPATH": f"{ROOT / 'faults/defects/site'}:{ROOT}", **told},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for told in ({}, {"FAULTS_DEFECT": "random-ids"})
    )
    assert "secrets" not in honest
    assert "secrets" in seeded
