"""Starts a PostgreSQL with pgvector, prints its address, and stops it when standard input ends."""

import sys
import tempfile

import pgserver

with tempfile.TemporaryDirectory() as folder:
    server = pgserver.get_server(folder)
    print(server.get_uri(), flush=True)
    sys.stdin.read()
    server.cleanup()
