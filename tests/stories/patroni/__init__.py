"""Stories on a database that Patroni manages: programs that few machines have."""
