"""M-Bus, the wired meter bus of EN 13757-2 (link) and EN 13757-3 (application).

Source: the house's fact sheet, chapter 3, which names public implementations (rscada/libmbus,
ganehag/pyMeterBus, wmbusmeters); the standard itself was not read.
"""
