"""The composition, the command line, the checks and the benchmarks."""
