"""From the registers of meters to bills: tariffs, pricing, runs and their evidence."""
