"""The retries of runs that are over: runs that try others again, from the first job that is not done."""
