"""The demo's hosts, as the sample inventory names them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SSH_PORT = 2222
WEB_PORT = 8080
DB_PORT = 5432
LOGIN = "ops"
NETWORK = "127.77.0."  # how the sample inventory writes it; a demo may move to another one


class Way(StrEnum):
    """How the hosts are kept apart."""

    ROOT = "namespaces"
    USER = "user namespaces"
    FOLDERS = "plain folders"


@dataclass(frozen=True, slots=True)
class Embedded:
    """One host: its name, the last part of its address, what runs on it (`web`, `lb`, `db`)."""

    name: str
    last: int
    role: str

    def address(self, network: str) -> str:
        """Its address in a network like `127.77.0.`."""
        return f"{network}{self.last}"


HOSTS = (
    Embedded("web-1", 11, "web"),
    Embedded("web-2", 12, "web"),
    Embedded("web-3", 13, "web"),
    Embedded("lb-1", 21, "lb"),
    Embedded("db-1", 31, "db"),
    Embedded("stg-1", 41, "web"),
)
