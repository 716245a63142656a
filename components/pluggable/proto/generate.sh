#!/bin/sh
# Generates the stubs beside this file from Dapr's own proto files (v1.18.2, unchanged, below `dapr/`).
# Needs grpcio-tools, no newer than the grpcio and protobuf that run the component: PYTHON=.venv/bin/python ./generate.sh
set -eu
cd "$(dirname "$0")"
"${PYTHON:-python3}" -m grpc_tools.protoc --proto_path=. --python_out=. --pyi_out=. --grpc_python_out=. \
  dapr/proto/components/v1/common.proto dapr/proto/components/v1/pubsub.proto
# Dapr's Python SDK has a package `dapr` too, so the stubs import one another as neighbours.
for name in common_pb2 pubsub_pb2; do
  for end in .py .pyi _grpc.py; do
    [ -f "dapr/proto/components/v1/$name$end" ] || continue
    sed 's/^from dapr\.proto\.components\.v1 import/from . import/' "dapr/proto/components/v1/$name$end" > "$name$end"
    rm "dapr/proto/components/v1/$name$end"
  done
done
# No service is declared in it.
rm -f common_pb2_grpc.py
