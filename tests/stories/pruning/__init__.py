"""A long history that is pruned while replicas are at work: how it is made, and what is watched meanwhile."""
