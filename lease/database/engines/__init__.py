"""What a user's engine connects with, in the words of this library's own drivers, or the refusal of it."""
