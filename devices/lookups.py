"""Layer 0: what Django's own lookups and functions cannot say."""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func, GenericIPAddressField, Lookup
from django.db.models.sql.compiler import SQLCompiler

# Bits of an address that are kept when it has aged: the networks that customers are given begin about there.
IPV4_KEPT = 24
IPV6_KEPT = 48


class Within(Lookup):
    """Whether an address belongs to a network: `queryset.filter(Within(F("ip_address"), network))`."""

    lookup_name = "within"
    prepare_rhs = False
    rhs: IPv4Network | IPv6Network

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, list[Any]]:
        """Compare with PostgreSQL's operator, which an index serves."""
        lhs, params = self.process_lhs(compiler, connection)
        # An index on the address serves it, as a range.
        return f"{lhs} <<= %s::inet", [*params, str(self.rhs)]

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, list[Any]]:
        """Compare with a function in Python."""
        connection.ensure_connection()
        connection.connection.create_function("devices_within", 2, _within, deterministic=True)
        lhs, params = self.process_lhs(compiler, connection)
        return f"devices_within({lhs}, %s)", [*params, str(self.rhs)]


def _within(address: str | None, network: str) -> bool:
    return address is not None and ip_address(address) in ip_network(network)


class Shortened(Func):
    """An address without its last bits, as the network it belongs to: `Shortened(F("ip_address"))`."""

    arity = 1
    output_field = GenericIPAddressField()

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> Any:
        """Keep the network part of the address."""
        template = (
            "host(network(set_masklen(%(expressions)s, "
            f"CASE family(%(expressions)s) WHEN 4 THEN {IPV4_KEPT} ELSE {IPV6_KEPT} END)))::inet"
        )
        sql, params = self.as_sql(compiler, connection, template=template, **context)
        return sql, [*params, *params]

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> Any:
        """Keep the network part of the address, with a function in Python."""
        connection.ensure_connection()
        connection.connection.create_function("devices_shortened", 1, shortened, deterministic=True)
        return self.as_sql(compiler, connection, function="devices_shortened", **context)


def shortened(address: str | None) -> str | None:
    """The same in Python. Raises ValueError for what is no address."""
    if address is None:
        return None
    ip = ip_address(address)
    kept = IPV4_KEPT if ip.version == 4 else IPV6_KEPT
    return str(ip_network((ip, kept), strict=False).network_address)
