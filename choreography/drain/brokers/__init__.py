"""Asks each broker for the remaining messages of every subscriber.

Not here: starting a broker (`choreography.up.brokers`), and creating its topics (`choreography.provision`).
"""
