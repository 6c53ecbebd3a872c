"""A job's process tree: the child, the keeper that ends it, and how processes are told apart."""
