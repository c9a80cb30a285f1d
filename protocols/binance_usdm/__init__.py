"""Binance USD-M's wire protocol, without I/O."""
