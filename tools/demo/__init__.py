"""A demo of the pages: a shop with a past of five weeks, and replicas that run its schedules now."""
