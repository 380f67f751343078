"""The gateways' door: batches and status in, acknowledgements out."""
