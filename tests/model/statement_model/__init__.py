"""What the statements of the lease protocol must do, said once more in Python, beside open transactions too.

leases   the model: rows, locks, and what each statement then answers
lines    transactions on a real database, none of which waits for long
"""
