"""How each broker tells what it still has for every subscriber.

Not here: starting a broker (`choreography.up.brokers`), and creating its topics (`choreography.provision`).
"""
