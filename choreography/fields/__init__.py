"""What a field of a contract may hold: only what is written and read back exactly, and cannot change meanwhile.

pydantic knows many types. Those that lose something on the wire, in the store or in a document are refused when the
class is created, with what to write instead. Some of the others are made exact here: a moment must carry an offset, a
decimal is text, an integer keeps within what every reader can hold, a dict is frozen.

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
