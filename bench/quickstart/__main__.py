"""Serve one service: ``python -m bench.quickstart order``."""

from bench.serving import serve

if __name__ == "__main__":
    serve("bench.quickstart")
