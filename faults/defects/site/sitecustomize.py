"""Read by Python at the start of every process of a fault run that has this folder on its PYTHONPATH."""  # noqa: INP001 - Python looks for a plain module

import os

if os.environ.get("FAULTS_DEFECT"):
    from faults.defects.catalogue import defect_of
    from faults.defects.seeding import seed

    seed(defect_of(os.environ["FAULTS_DEFECT"]))
