"""Those who act at the same moment, and whether each was told what came of it."""
