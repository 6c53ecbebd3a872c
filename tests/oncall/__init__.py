"""Broken situations, one made at random, for one who practises being on call: `python -m tests.oncall`."""
