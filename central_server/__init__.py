"""The centre: rules, money, pages, the gateways' counterpart."""
