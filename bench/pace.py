"""How fast the machine is at this moment.

A processor that others share does not keep its pace: the same work took twice the CPU time ten minutes later. So a
fixed piece of work is timed before and after each burst, and figures are compared as if all of them had been measured
at the pace that the machine kept in the median.
"""

from __future__ import annotations

import json
import time
from typing import Final

_TIMES: Final = 9
_ORDER: Final = {"order_id": "0" * 32, "lines": [{"sku": f"article-{number}", "quantity": 1} for number in range(8)]}


def pace() -> float:
    """Return the milliseconds of CPU that the fixed piece of work takes now: the median of a few times."""
    taken = sorted(_once() for _ in range(_TIMES))
    return round(taken[_TIMES // 2] * 1000, 2)


def _once() -> float:
    began = time.process_time()
    kept: dict[str, str] = {}
    for number in range(1500):
        text = json.dumps(_ORDER | {"number": number})
        kept[str(number)] = json.loads(text)["order_id"]
    return time.process_time() - began
