# Debian's Redis. As in the official image, arguments are those of redis-server, and it answers other pods.
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install --yes --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/*
WORKDIR /data
RUN chmod 1777 /data
USER 999:999
ENTRYPOINT ["redis-server", "--protected-mode", "no"]
