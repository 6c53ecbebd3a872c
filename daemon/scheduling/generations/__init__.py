"""Generations: the definitions of an application in their order, and which of them rule. Pure decisions (rule 21)."""
