"""The types that a field of a contract may have: values that are written and read back exactly, and cannot change.

pydantic knows many types. Some lose information on the wire, in the store or in a document: these are refused when the
class is created, and the error names the alternative. Others are made exact here: a moment must carry an offset, a
decimal is text, an integer stays within the range of every reader, a dict is frozen.

Not here: the classes that a user derives from (`choreography.contracts`), and compatibility of two contracts
(`choreography.analysis`).
"""

from choreography.fields.frozen import FrozenDict
from choreography.fields.key_types import as_key, refuse_as_key
from choreography.fields.leaves import MAX_SAFE_INTEGER
from choreography.fields.plain import plain_types
from choreography.fields.states import alternatives, parts_of, spread, tag_of
from choreography.fields.value import Value
from choreography.fields.whole import is_generic, is_template

__all__ = [
    "MAX_SAFE_INTEGER",
    "FrozenDict",
    "Value",
    "alternatives",
    "as_key",
    "is_generic",
    "is_template",
    "parts_of",
    "plain_types",
    "refuse_as_key",
    "spread",
    "tag_of",
]
