"""Every seeded defect."""

from __future__ import annotations

from typing import Final

from faults.defects.accepting_defects import ACCEPTING
from faults.defects.accounting_defects import ACCOUNTING
from faults.defects.committing_defects import COMMITTING
from faults.defects.edge_defects import EDGE
from faults.defects.release_defects import RELEASES
from faults.defects.releasing_defects import RELEASING
from faults.defects.seeding import Defect
from faults.defects.sidecar_defects import SIDECAR
from faults.defects.store_defects import STORES

DEFECTS: Final = {
    defect.name: defect
    for defect in (*ACCEPTING, *ACCOUNTING, *COMMITTING, *EDGE, *RELEASES, *RELEASING, *SIDECAR, *STORES)
}


def defect_of(name: str) -> Defect:
    """Return the defect of this name."""
    if name not in DEFECTS:
        raise LookupError(f"There is no defect called {name!r}. There are: {', '.join(DEFECTS)}.")
    return DEFECTS[name]
