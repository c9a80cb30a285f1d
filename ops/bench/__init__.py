"""Benchmarks: `make bench`. Speeds are ratios against a floor measured in the same run, on the same machine, in alternating blocks."""
