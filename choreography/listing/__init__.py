"""Lists: which entities a service shows by fields of theirs, page by page, and what a request may ask of them.

Not here: the SQL behind a list (`choreography.stores`), and its HTTP route (`choreography.web`).
"""

from choreography.listing.asked import LARGEST_PAGE, USUAL_PAGE, AskedWronglyError, ListRequest, ask
from choreography.listing.cursor import PagePlace
from choreography.listing.filters import Filter, Form
from choreography.listing.list_view import By, ListView, read_list

__all__ = [
    "LARGEST_PAGE",
    "USUAL_PAGE",
    "AskedWronglyError",
    "By",
    "Filter",
    "Form",
    "ListRequest",
    "ListView",
    "PagePlace",
    "ask",
    "read_list",
]
