"""A small stand-in for a payment provider: charges, refunds, a ledger for auditors, switches for its faults.

It plays the outside world in the checkout flow, so it shares nothing with the flow: no event, no broker, no
sidecar. It keeps its ledger in one SQLite file and listens on the loopback address only.

    APP_PORT=8090 PROVIDER_DATABASE=provider.sqlite python -m apps.payment_provider

=======================  ===============================================================================
``POST /charges``        take money; 201, or 402 with the reason of a decline
``POST /refunds``        give it back; 201, 404 for an unknown charge, 409 for more than is left of it
``GET /ledger``          the totals, and how many charges, refunds and declines there were
``GET /ledger/{order}``  what happened to one order
``GET /ledger/entries``  everything that ever happened, in its order, page by page
``GET /faults``          which faults are switched on
``PUT /faults``          switch them: declines, delays, errors, answers that come too late, no service at all
``GET /docs``            the page to try all of it
=======================  ===============================================================================

What a caller may rely on:

* Both POSTs need an ``Idempotency-Key``. A key and a body get the same answer for ever, refusals included. A
  key that returns with another body gets 422 and changes nothing.
* An answer is given after its entry is committed, so an answered charge survives ``kill -9``. (It does not
  wait for the disk, so the last moments before a power cut may be lost: this is a stand-in, not a bank.)
* A 500, a 503 or no answer at all means *unknown*: ask again with the same key.

Faults follow from a hash of the idempotency key and the number of the attempt, never from chance, so a run
can be repeated. A decline depends on the key alone: trying again does not change a bank's mind. The switches
are kept with the ledger; attempts are counted in memory and start again with the process.
"""
