"""Errors that the user of a component must correct, each with a message that says what happened and what to do."""

from __future__ import annotations


class ComponentError(Exception):
    """An error that the user of the component must correct; its text is written for this user."""


class SettingsError(ComponentError):
    """A setting of the component, or of one subscription, is missing, unknown or impossible."""


class CredentialsError(ComponentError):
    """The broker does not know the caller, or no longer does."""


class UnfitError(ComponentError):
    """A needed part of the broker is missing and may not be made, or would lose messages as it is."""
