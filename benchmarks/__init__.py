"""The benchmarks: what leased can do, what that costs, and what was asked for."""
