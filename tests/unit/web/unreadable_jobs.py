"""Bodies of jobs that a service cannot read, for every kind of job."""

import gzip

UNREADABLE_JOBS = {
    "nothing": b"",
    "no JSON": b"no JSON",
    "broken UTF-8": b'{"events": ["\xff"]}',
    "half a job": b'{"events": ["',
    "gzip": gzip.compress(b"{}"),
    "depth": b"[" * 100_000,
    "null": b"null",
    "a number": b"5",
    "a text": b'"events"',
    "a list": b"[]",
    "a list of lists": b"[[]]",
    "an empty object": b"{}",
    "another member": b'{"orders": ["x"]}',
    "null in its place": b'{"events": null, "commands": null}',
    "a text in its place": b'{"events": "x", "commands": "x"}',
    "an object in its place": b'{"events": {"0": "x"}, "commands": {"0": "x"}}',
    "an empty list in its place": b'{"events": [], "commands": []}',
    "one that is wrapped and empty": b'{"value": {}}',
    "one that is wrapped and no object": b'{"value": "x"}',
    "too large": b'{"events": ["' + b"x" * 33_000_000,
}
