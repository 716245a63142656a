# Debian's PostgreSQL, which makes its database at the first start as the official image does.
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql && rm -rf /var/lib/apt/lists/* \
    && ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ \
    && mkdir -p /var/lib/postgresql/data && chmod 1777 /var/lib/postgresql/data /var/run/postgresql
COPY entrypoint.sh /usr/local/bin/docker-entrypoint.sh
USER 999:999
ENV PGDATA=/var/lib/postgresql/data
ENTRYPOINT ["sh", "/usr/local/bin/docker-entrypoint.sh"]
STOPSIGNAL SIGINT
CMD ["postgres"]
