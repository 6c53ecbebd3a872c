"""Floors and peers: the same work without leased, or with another."""
