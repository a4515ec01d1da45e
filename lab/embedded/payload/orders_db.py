#!/usr/bin/env python3
"""orders_db ADDRESS PORT: takes connections and closes them. It stands in for the database of the demo."""

from __future__ import annotations

import socket
import sys

with socket.create_server((sys.argv[1], int(sys.argv[2]))) as server:
    while True:
        connection, _ = server.accept()
        connection.close()
