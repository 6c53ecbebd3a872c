"""The statements on runs that are requested: what a trigger writes, and how such a run takes its place."""
