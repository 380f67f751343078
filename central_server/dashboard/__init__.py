"""The pages people look at: overview, alarms, devices, bills, and the stream that keeps them true."""
