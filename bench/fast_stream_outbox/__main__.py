"""Serve one service: ``python -m bench.fast_stream_outbox order``."""

from bench.serving import serve

if __name__ == "__main__":
    serve("bench.fast_stream_outbox")
