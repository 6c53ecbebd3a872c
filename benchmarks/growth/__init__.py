"""Growth: databases of several sizes, and what a replica and a person ask of them."""
