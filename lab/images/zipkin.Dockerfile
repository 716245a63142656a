# Zipkin's jar on Debian's Java, started as the official image starts it.
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install --yes --no-install-recommends openjdk-17-jre-headless && rm -rf /var/lib/apt/lists/*
COPY zipkin.jar /zipkin/zipkin.jar
USER 65532:65532
WORKDIR /tmp
CMD ["sh", "-c", "exec java $JAVA_OPTS -jar /zipkin/zipkin.jar"]
