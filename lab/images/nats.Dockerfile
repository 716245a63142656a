FROM scratch
COPY nats-server /nats-server
USER 65532:65532
ENTRYPOINT ["/nats-server"]
