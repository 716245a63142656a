# A static program needs nothing but itself. The number is that of Dapr's own images, and not root.
FROM scratch
COPY . /
USER 65532:65532
