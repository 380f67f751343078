"""What can stop a simulated site."""


class SimError(Exception):
    """One sentence on what is wrong and one on what to do, fit to print as it is."""
