# Debian's Redis, started as the official image starts it: the arguments are those of redis-server.
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install --yes --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/*
WORKDIR /data
RUN chmod 1777 /data
USER 999:999
CMD ["redis-server", "--protected-mode", "no"]
