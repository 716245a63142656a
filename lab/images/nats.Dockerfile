# Debian's NATS at the places of the official image.
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install --yes --no-install-recommends nats-server && rm -rf /var/lib/apt/lists/* \
    && ln -s "$(command -v nats-server)" /nats-server && ln -sf /nats-server /usr/local/bin/nats-server
USER 65532:65532
ENTRYPOINT ["/nats-server"]
