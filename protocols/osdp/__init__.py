"""OSDP, the supervised line of card readers and door controllers (SIA OSDP v2.2, IEC 60839-11-5).

This is what explains captured frames and finds devices; sessions are driven by libosdp.
"""
