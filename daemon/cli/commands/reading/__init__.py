"""Commands that read: what there is, what has been, and whether it is as promised."""
