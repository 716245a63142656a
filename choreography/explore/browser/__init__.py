"""The explorer in a browser: step through a flow by hand, inspect every service, open the findings of a search.

Not here: finding or judging runs (`choreography.explore`), and the HTTP of services (`choreography.web`).
"""

from choreography.explore.browser.app import explorer
from choreography.explore.browser.serving import serve

__all__ = ["explorer", "serve"]
