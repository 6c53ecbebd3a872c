"""Pure geometry: values in, path strings and numbers out. Looks are classes of the style, never a style here."""
