"""Ordinary weeks: what a deploy, a rollback, a crash loop or an outage does to the definitions that rule."""
