"""History that stays small: which runs go, by `keep`, and the deletion of them and of what else is old.

A pruned instant is accounted for by the table `pruned`, which is written before its run is deleted:
planning never comes back to it, and the audit begins after it.
"""
