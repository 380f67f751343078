"""Parking: places, what they cost a month, who rents them, and the fees that go on the bills."""
