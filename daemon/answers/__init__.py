"""The answers to questions and acts, as `--json` and the API give them: one object each."""
