"""What a user of a component must mend, each as a sentence that says what happened and what to do."""

from __future__ import annotations


class ComponentError(Exception):
    """Something the user of the component must mend; its text is a sentence for them."""


class SettingsError(ComponentError):
    """A setting of the component, or of one subscription, is missing, unknown or impossible."""


class CredentialsError(ComponentError):
    """The broker does not know, or no longer knows, who calls."""


class UnfitError(ComponentError):
    """What the component needs on the broker is not there and may not be made, or would lose messages as it is."""
