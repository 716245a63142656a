# One image for every service, the stand-in for the payment provider, and `choreography provision`: the command says which.
#
#   docker build -t choreography .
#   docker run --rm choreography choreography serve apps.checkout.order
#
# Any Debian with Python 3.11 or newer and its venv module will do as the base (--build-arg BASE=...); both stages must
# have the same. Set SOURCE_DATE_EPOCH to the time of the commit for the same files, to the byte, at every build.
ARG BASE=python:3.12-slim

FROM ${BASE} AS build
ARG SOURCE_DATE_EPOCH=0
ENV SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0 PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY locks/requirements-image.txt locks/requirements-sbom.txt /locks/
# Only what was pinned, and only wheels: nothing of a stranger runs while the image is built. /venv itself has no pip.
RUN python3 -m venv /tools && python3 -m venv --without-pip /venv \
    && /tools/bin/pip --python /venv/bin/python3 install --quiet --no-compile --only-binary :all: --require-hashes \
    --requirement /locks/requirements-image.txt
RUN /tools/bin/pip install --quiet --no-compile --only-binary :all: --require-hashes \
    --requirement /locks/requirements-sbom.txt \
    && /tools/bin/cyclonedx-py environment --output-reproducible --of JSON --output-file /sbom.cdx.json /venv/bin/python3
COPY choreography /app/choreography
COPY components /app/components
COPY apps /app/apps
COPY LICENSE /app/LICENSE
# Byte code that names the hash of its source, not its time: a start need not compile, on a root that is read-only,
# and two builds are alike. What the app folder's is checked against its source, as `skaffold dev` exchanges that.
RUN printf '%s\n' '#!/venv/bin/python3' 'from choreography.cli import main' 'main()' > /venv/bin/choreography \
    && chmod 0755 /venv/bin/choreography \
    && rm -rf /venv/bin/activate* /venv/bin/Activate* \
    && python3 -m compileall -q -j 1 --invalidation-mode unchecked-hash /venv/lib \
    && python3 -m compileall -q -j 1 --invalidation-mode checked-hash /app \
    && find /venv /app /sbom.cdx.json -exec touch --no-dereference --date "@${SOURCE_DATE_EPOCH}" {} +

FROM ${BASE}
LABEL org.opencontainers.image.title="choreography" \
    org.opencontainers.image.description="Services that dance without a conductor" \
    org.opencontainers.image.licenses="Apache-2.0"
# What installs programs has no place beside what runs; some bases bring it along.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/ensurepip /usr/lib/python3*/ensurepip \
    /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/site-packages/setuptools* \
    /usr/local/lib/python3*/site-packages/wheel*
COPY --from=build /venv /venv
COPY --from=build /sbom.cdx.json /sbom.cdx.json
COPY --from=build /app /app
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
WORKDIR /app
# A number, so that Kubernetes can see that it is not root; the same as that of Dapr's images.
USER 65532:65532
CMD ["choreography", "--help"]
