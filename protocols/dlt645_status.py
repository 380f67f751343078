"""The seven status words of a DL/T 645-2007 meter, bit by bit.

The bits of words 1 to 3 beyond the fact sheet's (relay state and relay command in word 3) and the
phase words are general knowledge of the standard, which was not read; a model whose manual differs
says so in its profile by naming word and bit itself.
"""

_PHASE_FAULTS = {
    0: "voltageLoss",
    1: "underVoltage",
    2: "overVoltage",
    3: "currentLoss",
    4: "overCurrent",
    5: "overload",
    6: "powerReversed",
    7: "phaseBreak",
    8: "currentBreak",
}
_WORDS: dict[int, dict[int, str]] = {
    1: {
        1: "demandByInterval",
        2: "clockBatteryLow",
        3: "backupBatteryLow",
        4: "activePowerReversed",
        5: "reactivePowerReversed",
        8: "relayCircuitFault",
        9: "securityModuleFault",
        12: "programFault",
        13: "memoryFault",
        14: "overdrawn",
        15: "clockFault",
    },
    2: {
        0: "activePowerReversedL1",
        1: "activePowerReversedL2",
        2: "activePowerReversedL3",
        4: "reactivePowerReversedL1",
        5: "reactivePowerReversedL2",
        6: "reactivePowerReversedL3",
    },
    3: {
        0: "secondSlotTable",
        1: "auxiliarySupply",
        2: "batterySupply",
        3: "programmingAllowed",
        4: "relayOpen",
        5: "secondZoneTable",
        6: "relayCommandOpen",
        7: "tripAnnounced",
        12: "keepPower",
    },
    **{3 + phase: {bit: f"{word}L{phase}" for bit, word in _PHASE_FAULTS.items()} for phase in (1, 2, 3)},
    7: {
        0: "voltageSequenceReversed",
        1: "currentSequenceReversed",
        2: "voltageImbalance",
        3: "currentImbalance",
        4: "auxiliaryLoss",
        5: "powerOutage",
        6: "demandOverLimit",
        7: "powerFactorLow",
        8: "currentImbalanceSevere",
    },
}


def status_flags(number: int, word: int) -> tuple[str, ...]:
    """Name the bits that are set in the status word of a number from 1 to 7; an unnamed bit is told by its place."""
    names = _WORDS[number]
    return tuple(names.get(bit, f"bit{bit}") for bit in range(16) if word >> bit & 1)
