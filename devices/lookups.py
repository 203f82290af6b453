"""Floor 0: what Django's own lookups cannot say."""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Lookup
from django.db.models.sql.compiler import SQLCompiler


class Within(Lookup):
    """Whether an address belongs to a network: `queryset.filter(Within(F("ip_address"), network))`."""

    lookup_name = "within"
    prepare_rhs = False
    rhs: IPv4Network | IPv6Network

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, list[Any]]:
        lhs, params = self.process_lhs(compiler, connection)
        # An index on the address serves it, as a range.
        return f"{lhs} <<= %s::inet", [*params, str(self.rhs)]

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, list[Any]]:
        connection.ensure_connection()
        connection.connection.create_function("devices_within", 2, _within, deterministic=True)
        lhs, params = self.process_lhs(compiler, connection)
        return f"devices_within({lhs}, %s)", [*params, str(self.rhs)]


def _within(address: str | None, network: str) -> bool:
    return address is not None and ip_address(address) in ip_network(network)
