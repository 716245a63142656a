"""A flow of two services, one of which belongs to an application that was there before.

Not here: the application itself (`examples.existing_shop`).
"""
