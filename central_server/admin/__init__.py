"""Accounts, sign-in codes and the audit, for those who look after them."""
