"""A job's process tree: the child, the keeper that ends it, and the identity of processes."""
