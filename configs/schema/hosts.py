"""Which hosts are this machine, and which of Binance's are not about real money."""

from __future__ import annotations

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_demo_host(host: str) -> bool:
    """Whether `host` is one of Binance's demo hosts (facts section 1.1); every other host beyond this machine counts as live."""
    demo = host.startswith("demo-") and host.endswith(".binance.com")
    return demo or host == "binancefuture.com" or host.endswith(".binancefuture.com")
