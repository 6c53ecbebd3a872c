"""The writes of a holder while it executes a run and at its end, each of which proves its grant.

Rules 10, 14, 15 and 16. Under a grant that has ended no row is changed, and the answer says who has the run now. A
write whose answer was lost may be repeated: it recognizes its own success. What many runs need at one moment is one
transaction (`batcher`): each write of a set proves its own grant, and fails or delays no other.
"""
