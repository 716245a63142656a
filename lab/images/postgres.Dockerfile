# Debian's PostgreSQL, which makes its database at the first start as the official image does, as the same user.
ARG BASE
FROM ${BASE}
RUN groupadd --gid 999 postgres && useradd --uid 999 --gid 999 postgres \
    && apt-get update && apt-get install --yes --no-install-recommends postgresql && rm -rf /var/lib/apt/lists/* \
    && ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ \
    # Its compiler of queries is larger than all the rest, and is not used for queries as small as these.
    && rm -rf /usr/lib/postgresql/*/lib/llvmjit* /usr/lib/postgresql/*/lib/bitcode /usr/lib/*/libLLVM* /usr/lib/*/libz3* /usr/lib/llvm-*
COPY entrypoint.sh /entrypoint.sh
USER 999:999
ENTRYPOINT ["sh", "/entrypoint.sh"]
STOPSIGNAL SIGINT
