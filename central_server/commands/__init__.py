"""Commands of people to devices: issued, signed, sent down, and what became of them."""
