"""Settings for all tests of components."""

from __future__ import annotations

import os

# These tests call components by gRPC and start servers meanwhile. What gRPC does in a child between fork and exec can
# end it, and a child that only becomes another program needs none of it. Read once, when gRPC is first used.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
