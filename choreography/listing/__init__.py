"""Lists: which entities a service shows by fields of theirs, page by page, and what a request may ask of them."""

from choreography.listing.asked import LARGEST_PAGE, USUAL_PAGE, Asked, AskedWronglyError, ask
from choreography.listing.cursor import Place
from choreography.listing.filters import Filter, Form
from choreography.listing.lists import By, ListView, read_list

__all__ = [
    "LARGEST_PAGE",
    "USUAL_PAGE",
    "Asked",
    "AskedWronglyError",
    "By",
    "Filter",
    "Form",
    "ListView",
    "Place",
    "ask",
    "read_list",
]
