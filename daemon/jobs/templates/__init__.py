"""The processes that children and their keepers are forked from, as starting Python takes long.

A *template* has a single thread, waits, and forks a keeper for each request (`forks`). The bare one
knows nothing but the keeper, which starts a command as ever; the other has loaded
FILE, and its keepers fork the function's child in turn. Both belong to one replica and end with it.
What they can't do is done as without them: the keeper, or the child, is started anew.
"""
