"""The resident's own pages: what is due, what is new, who is coming, and what is known about them."""
