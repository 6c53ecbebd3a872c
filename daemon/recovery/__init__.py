"""The replicas that are alive, and the runs that dead ones left behind."""
