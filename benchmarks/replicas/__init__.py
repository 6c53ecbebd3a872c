"""Replicas as they are run for real, and what is read of them: their rows, their CPU time, their memory."""
