"""Flows built on choreography, and the outside they need."""
