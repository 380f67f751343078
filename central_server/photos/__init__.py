"""Photos people hand in: made anew, kept with what they belong to, shown to whom they concern."""
