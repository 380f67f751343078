"""One word per thing: names of points, states, conditions, each an English msgid."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import digits

from central_server.dashboard.i18n import N_

KINDS = {
    "electricity": N_("Electricity meter"),
    "water": N_("Water meter"),
    "heat": N_("Heat meter"),
    "gas": N_("Gas meter"),
    "lift": N_("Lift"),
    "door": N_("Door"),
    "sensor": N_("Sensor"),
    "beacon": N_("Beacon"),
    "io": N_("I/O module"),
    "valve": N_("Valve"),
    "relay": N_("Relay"),
}

# What a device of each kind shows in one line of a list: the first is what it is about.
HEADLINES = {
    "electricity": ("energyImportTotal", "powerTotal"),
    "water": ("volumeTotal", "flowRate", "valveState"),
    "heat": ("energyTotal", "powerTotal", "supplyTemperature"),
    "gas": ("volumeTotal", "valveState"),
    "lift": ("currentFloor", "direction", "doorState"),
    "door": ("doorState", "lockState"),
    "sensor": ("temperature", "leak", "smoke", "windowState", "doorState", "motion", "humidity", "battery"),
    "beacon": ("presence", "rssi"),
    "io": ("smoke", "leak", "pumpFault", "inputAlarm", "pumpRunning", "contact", "volumeTotal", "input1", "output1"),
    "valve": ("valveState", "openLimit", "closedLimit"),
    "relay": ("relayState", "auxiliaryContact"),
}
REGISTERS = {"electricity": "energyImportTotal", "water": "volumeTotal"}

POINTS = {
    "energyImportTotal": N_("Energy imported"),
    "energyExportTotal": N_("Energy exported"),
    "energyTotal": N_("Energy, total"),
    "energyImportTariff1": N_("Energy imported, tariff 1"),
    "energyImportTariff2": N_("Energy imported, tariff 2"),
    "energyImportTariff3": N_("Energy imported, tariff 3"),
    "energyImportTariff4": N_("Energy imported, tariff 4"),
    "energyExportTariff1": N_("Energy exported, tariff 1"),
    "energyExportTariff2": N_("Energy exported, tariff 2"),
    "energyImportL1": N_("Energy imported, L1"),
    "energyImportL2": N_("Energy imported, L2"),
    "energyImportL3": N_("Energy imported, L3"),
    "energyExportL1": N_("Energy exported, L1"),
    "energyExportL2": N_("Energy exported, L2"),
    "energyExportL3": N_("Energy exported, L3"),
    "settlementEnergy": N_("Energy at settlement"),
    "reactiveImport": N_("Reactive energy imported"),
    "reactiveExport": N_("Reactive energy exported"),
    "reactiveTotal": N_("Reactive energy, total"),
    "reactivePowerTotal": N_("Reactive power"),
    "apparentPowerTotal": N_("Apparent power"),
    "powerImport": N_("Power drawn"),
    "powerExport": N_("Power fed in"),
    "relayState": N_("Relay"),
    "keepPower": N_("Supply kept on"),
    "supplyTemperature": N_("Supply temperature"),
    "returnTemperature": N_("Return temperature"),
    "temperatureDifference": N_("Temperature difference"),
    "operatingTime": N_("Operating time"),
    "powerTotal": N_("Power"),
    "powerL1": N_("Power L1"),
    "powerL2": N_("Power L2"),
    "powerL3": N_("Power L3"),
    "voltageL1": N_("Voltage L1"),
    "voltageL2": N_("Voltage L2"),
    "voltageL3": N_("Voltage L3"),
    "currentL1": N_("Current L1"),
    "currentL2": N_("Current L2"),
    "currentL3": N_("Current L3"),
    "freq": N_("Frequency"),
    "pf": N_("Power factor"),
    "volumeTotal": N_("Volume"),
    "volumeReverse": N_("Volume flown back"),
    "volumeNet": N_("Volume, net"),
    "settlementVolume": N_("Volume at the settlement day"),
    "flowRate": N_("Flow"),
    "valveState": N_("Valve"),
    "batteryLow": N_("Battery"),
    "currentFloor": N_("Floor"),
    "direction": N_("Direction"),
    "doorState": N_("Door"),
    "carMode": N_("Mode"),
    "passengerAlarm": N_("Passenger alarm"),
    "inDoorZone": N_("In the door zone"),
    "lockState": N_("Lock"),
    "tamper": N_("Cover"),
    "fire": N_("Fire contact"),
    "exitButton": N_("Exit button"),
    "powerState": N_("Supply"),
    "keyState": N_("Reader's key"),
    "faultCode": N_("Fault code"),
    "pressure": N_("Pressure"),
    "temperature": N_("Temperature"),
    "humidity": N_("Humidity"),
    "illuminance": N_("Brightness"),
    "leak": N_("Water leak"),
    "smoke": N_("Smoke"),
    "motion": N_("Motion"),
    "windowState": N_("Window contact"),
    "tilt": N_("Tilt"),
    "battery": N_("Battery level"),
    "batteryVoltage": N_("Battery voltage"),
    "rssi": N_("Signal strength"),
    "txPower": N_("Transmitting power"),
    "presence": N_("Presence"),
    "advertCount": N_("Broadcasts sent"),
    "uptime": N_("Running time"),
    "pumpFault": N_("Pump"),
    "pumpRunning": N_("Pump's motor"),
    "contact": N_("Contact"),
    "inputAlarm": N_("Alarm input"),
    "openLimit": N_("Limit switch open"),
    "closedLimit": N_("Limit switch closed"),
    "auxiliaryContact": N_("Auxiliary contact"),
    # Of these a device has several, told apart by number.
    "input": N_("Input"),
    "output": N_("Output"),
    "counter": N_("Pulse counter"),
}

# Digits that help a person; registers keep every digit the meter has.
DIGITS = {
    "powerTotal": 0,
    "reactivePowerTotal": 0,
    "apparentPowerTotal": 0,
    "powerL1": 0,
    "powerL2": 0,
    "powerL3": 0,
    "voltageL1": 1,
    "voltageL2": 1,
    "voltageL3": 1,
    "currentL1": 2,
    "currentL2": 2,
    "currentL3": 2,
    "freq": 2,
    "pf": 3,
    "flowRate": 3,
}

_DOOR = {0: N_("shut"), 1: N_("open")}
_VALVE = {0: N_("open"), 1: N_("closed"), 2: N_("faulty")}
_SWITCH = {0: N_("off"), 1: N_("on")}
_BATTERY = {0: N_("in order"), 1: N_("low")}
STATES: dict[tuple[str, str], dict[int, str]] = {
    ("electricity", "relayState"): {0: N_("connected"), 1: N_("disconnected")},
    ("electricity", "keepPower"): {0: N_("off"), 1: N_("on")},
    ("heat", "valveState"): _VALVE,
    ("heat", "batteryLow"): _BATTERY,
    ("gas", "valveState"): _VALVE,
    ("gas", "batteryLow"): _BATTERY,
    ("door", "doorState"): _DOOR,
    ("sensor", "doorState"): _DOOR,
    ("sensor", "windowState"): _DOOR,
    ("sensor", "leak"): {0: N_("dry"), 1: N_("water found")},
    ("sensor", "smoke"): {0: N_("no smoke"), 1: N_("smoke found")},
    ("sensor", "motion"): {0: N_("no motion"), 1: N_("motion found")},
    ("sensor", "tamper"): {0: N_("cover shut"), 1: N_("cover opened")},
    ("beacon", "presence"): {0: N_("absent"), 1: N_("present")},
    ("door", "lockState"): {0: N_("locked"), 1: N_("unlocked")},
    ("door", "tamper"): {0: N_("cover shut"), 1: N_("cover opened")},
    ("door", "fire"): {0: N_("no fire"), 1: N_("fire")},
    ("door", "exitButton"): {0: N_("not pressed"), 1: N_("pressed")},
    ("door", "powerState"): {0: N_("supply present"), 1: N_("supply failed")},
    ("door", "keyState"): {0: N_("its own"), 1: N_("the default key")},
    ("lift", "doorState"): {0: N_("doors shut"), 1: N_("doors open"), 2: N_("doors moving"), 3: N_("doors faulty")},
    ("lift", "direction"): {
        0: N_("direction unknown"),
        1: N_("standing"),
        2: N_("stopped"),
        3: N_("going up"),
        4: N_("going down"),
        5: N_("up and down"),
    },
    ("lift", "carMode"): {
        0: N_("mode unknown"),
        1: N_("normal service"),
        2: N_("priority call"),
        3: N_("homing"),
        4: N_("parked"),
        5: N_("attendant"),
        6: N_("firefighters"),
        7: N_("emergency power"),
        8: N_("inspection"),
        9: N_("controller recall"),
        10: N_("earthquake"),
        11: N_("fire"),
        12: N_("out of service"),
        13: N_("evacuation"),
    },
    ("lift", "passengerAlarm"): {0: N_("not pressed"), 1: N_("pressed")},
    ("lift", "inDoorZone"): {0: N_("no"), 1: N_("yes")},
    ("water", "valveState"): _VALVE,
    ("water", "batteryLow"): _BATTERY,
    ("io", "leak"): {0: N_("dry"), 1: N_("water found")},
    ("io", "smoke"): {0: N_("no smoke"), 1: N_("smoke found")},
    ("io", "pumpFault"): {0: N_("in order"), 1: N_("faulty")},
    ("io", "pumpRunning"): {0: N_("standing"), 1: N_("running")},
    ("io", "contact"): {0: N_("closed"), 1: N_("open")},
    ("io", "inputAlarm"): _SWITCH,
    ("valve", "valveState"): {0: N_("closed"), 1: N_("open")},
    ("valve", "openLimit"): _SWITCH,
    ("valve", "closedLimit"): _SWITCH,
    ("relay", "relayState"): {0: N_("disconnected"), 1: N_("connected")},
    ("relay", "auxiliaryContact"): {0: N_("disconnected"), 1: N_("connected")},
} | {("io", f"{channel}{n}"): _SWITCH for channel in ("input", "output") for n in range(1, 17)}

DEVICE_STATES = {
    "ok": N_("in order"),
    "degraded": N_("answers at times"),
    "offline": N_("does not answer"),
    "unknown": N_("not read yet"),
    "silent": N_("gateway silent"),
}
BREAKERS = {
    "closed": N_("polled as planned"),
    "open": N_("left in peace, probed at growing intervals"),
    "half-open": N_("being probed"),
}
BUS_STATES = {"up": N_("in order"), "down": N_("down")}
QUALITIES = {
    0: N_("good"),
    1: N_("not available"),
    2: N_("invalid"),
    3: N_("suspect"),
    4: N_("substituted"),
    5: N_("from the meter's memory"),
}
PRIORITIES = {1: N_("Critical"), 2: N_("Major"), 3: N_("Minor")}

# The same on a bill, where it is an item, and on the overview, where it is an amount.
LINES = {"electricity": N_("Electricity"), "water": N_("Water")}
USES = {"electricity": N_("Electricity used"), "water": N_("Water used")}


@dataclass(frozen=True, slots=True)
class Condition:
    """What an alarm says: the name, what it means, and what to do, step by step."""

    name: str
    meaning: str
    steps: tuple[str, ...]


CONDITIONS = {
    "device_offline": Condition(
        N_("Device does not answer"),
        N_(
            "The gateway asked several times and got no answer. It now asks seldom, so that the other devices on the line are not held up."
        ),
        (
            N_("See whether other devices on the same line answer: if none does, the fault is the line."),
            N_("Check the device's supply and its two bus wires."),
            N_("Compare the address on the device with the one shown here."),
            N_("The alarm clears by itself with the first good answer."),
        ),
    ),
    "bus_down": Condition(
        N_("Line is down"),
        N_("The gateway cannot use this line at all, so no device on it is read. The other lines go on."),
        (
            N_("Read the cause below: it names the port or the address that fails."),
            N_("Check the converter or the network cable at the gateway."),
            N_("The gateway tries again by itself; nothing needs to be restarted."),
        ),
    ),
    "gateway_copied": Condition(
        N_("Gateway exists twice"),
        N_(
            "Another box, or an old copy of its disk, speaks under this gateway's name. Nothing of it was taken; what the right one sends may be refused too."
        ),
        (
            N_("Find out which box is the right one: was a disk copied, or a backup restored?"),
            N_("Shut both out: central edge revoke. Then invite the right one, which begins an empty store."),
            N_("End the alarm here with a note when only one is left."),
        ),
    ),
    "gateway_silent": Condition(
        N_("Gateway is silent"),
        N_(
            "Nothing has come from this gateway for more than 15 seconds. It goes on reading and keeps everything; when the connection is back it delivers in order and nothing is lost."
        ),
        (
            N_("Check the gateway's supply and its network."),
            N_("If it has power, see on the gateway itself what it says: edge status."),
            N_("Until it is back, values of its devices are old: the page marks them."),
        ),
    ),
}
CONDITIONS |= {
    "water_leak": Condition(
        N_("Water leak"),
        N_("A leak sensor on an input module stands in water."),
        (
            N_("Send somebody to look; take the key of the plant room along."),
            N_("Shut the valve before the leak, and switch off what stands in water."),
            N_("The alarm clears by itself when the sensor is dry."),
        ),
    ),
    "smoke": Condition(
        N_("Smoke"),
        N_("A smoke detector on an input module has triggered."),
        (
            N_("Look at the fire panel and the camera, and send the guard."),
            N_("If it burns: call 119 and clear the building."),
            N_("The alarm clears by itself when the detector is reset."),
        ),
    ),
    "pump_fault": Condition(
        N_("Pump has a fault"),
        N_("The pump's controller reports a fault on an input module."),
        (
            N_("See whether the second pump has taken over."),
            N_("Read the fault at the pump's controller, then open a work order."),
        ),
    ),
    "input_alarm": Condition(
        N_("Alarm input is on"),
        N_("An input that was set up as an alarm is on; the device's name says what it stands for."),
        (N_("See what is connected there, and look at it on the spot."),),
    ),
    "lift_entrapment": Condition(
        N_("Somebody may be shut in a lift"),
        N_(
            "Inferred, not reported: the alarm button was pressed and the car stands, or it has stood between floors with its doors shut. It counts as true until a person has made sure."
        ),
        (
            N_("Speak to the car by intercom: say that help is on its way and that the doors must not be forced."),
            N_("Call the lift company's rescue now; a work order was opened by itself."),
            N_("Send the guard to the floor shown here to stay in earshot. Nobody but the rescuers opens the doors."),
            N_("Somebody is unwell, or there is smoke: call 120 or 119."),
            N_("When everybody is out, end the alarm here with a note: who, when, in what condition."),
        ),
    ),
    "lift_fault": Condition(
        N_("Lift has a fault"),
        N_("The lift's controller shows a fault code, or the car is out of service."),
        (
            N_("See whether the car stands at a floor with open doors. If not, speak to the car by intercom."),
            N_("Put the sign up on the floors and see that the other lift runs."),
            N_("Tell the lift company the code shown here; a work order was opened by itself."),
        ),
    ),
    "lift_fire_mode": Condition(
        N_("Lift is in fire service"),
        N_("The fire switch has been used or firefighters have taken the car."),
        (
            N_("Find out at once whether there is a fire: look at the fire panel."),
            N_("Nobody uses the lift. Guide people to the stairs."),
            N_("After a false alarm the lift company or the fire officer puts the car back into service."),
        ),
    ),
    "door_forced": Condition(
        N_("Door opened by force"),
        N_("The door opened although no card, no exit button and no fire had released it."),
        (
            N_("Look at the camera of this door, or send the guard."),
            N_("See under Doors who was there just before."),
            N_("If the lock or frame is damaged, open a work order and have the door watched until it is repaired."),
        ),
    ),
    "door_held_open": Condition(
        N_("Door held open"),
        N_("The door has stood open for longer than its setting allows; anybody can walk in."),
        (
            N_("Send the guard to see why: a move, a delivery, a wedge under the door."),
            N_("If it does not fall shut by itself, the closer needs a repair: open a work order."),
            N_("The alarm clears by itself when the door is shut."),
        ),
    ),
    "door_tamper": Condition(
        N_("Door module opened"),
        N_("The cover of the door's module is open. Whoever stands there can reach its wires."),
        (
            N_("Ask whether a technician is at work there."),
            N_("If not, send the guard at once and look at the camera."),
            N_("Have the wiring checked before the cover is shut again."),
        ),
    ),
    "door_default_key": Condition(
        N_("Reader uses the default key"),
        N_(
            "The line to this reader is protected only by a key that everybody knows. It is being installed, or was reset."
        ),
        (
            N_("If a technician is installing it, the alarm clears once the reader has a key of its own."),
            N_("If nobody is, send the guard: somebody may have exchanged the reader."),
            N_("When the reader has its key, install_mode is taken out of the gateway's settings."),
        ),
    ),
    "door_power": Condition(
        N_("Door module's power fails"),
        N_("The door's module says that its supply fails. When its battery is empty, no card opens this door."),
        (
            N_("See whether the fuse of the door's supply has tripped."),
            N_("If the supply is dead, open a work order before the battery is empty."),
        ),
    ),
    "config_reverted": Condition(
        N_("Gateway went back to its last good settings"),
        N_(
            "New settings were tried and the gateway was not as well as before within a minute. "
            "It goes on with the last good ones."
        ),
        (
            N_("Read below what was missing: a line, a device or the link to the centre."),
            N_("On the gateway: edge config history shows the revisions and why one was reverted."),
            N_("Correct the settings and apply them again; the alarm then clears."),
        ),
    ),
    "rules_refused": Condition(
        N_("Gateway refuses new door rules"),
        N_("The gateway has kept its last good rules. Doors go on working, but changes since then do not count there."),
        (
            N_("Read the cause below."),
            N_(
                "On the gateway: edge status shows the rules in force, and the log says what is wrong with the new ones."
            ),
            N_("If it names an older version, the centre was restored from a backup: tell the administrator."),
        ),
    ),
    "reading_suspect": Condition(
        N_("Register is not believed"),
        N_(
            "A meter's register did what it cannot: it fell, stood at zero, or grew by more than its line carries. "
            "Nothing is billed from these reads."
        ),
        (
            N_("A single wrong read heals by itself; the alarm then clears."),
            N_("If the meter or its transformers were exchanged: enter the exchange, then edge guard accept."),
            N_("If nothing was changed, have the meter and its wiring checked."),
        ),
    ),
    "round_missed": Condition(
        N_("Round was not made"),
        N_("The time for this inspection round is over and not every point was visited."),
        (
            N_("Ask the inspector what happened; make the round now if it still makes sense."),
            N_("Excuse it with a reason on the page of the round, or leave it as missed."),
        ),
    ),
    "store_damaged": Condition(
        N_("Gateway's store was damaged"),
        N_(
            "The gateway has saved what could be read into a new store and goes on. What was lost is told as gaps, "
            "and no reading is made up."
        ),
        (
            N_("See below how many records were saved and how many are lost."),
            N_("On the gateway: edge doctor says what its disk is like. Exchange a worn card or disk."),
        ),
    ),
    "store_copied": Condition(
        N_("Gateway's store is a copy"),
        N_(
            "The gateway's data were put back from a backup or copied to another disk. It began a new numbering, so that "
            "nothing counts twice."
        ),
        (
            N_("If somebody has just moved or restored this gateway, nothing needs to be done."),
            N_("If not, see whether a second box runs with the same data, and shut it out."),
        ),
    ),
    "clock_wrong": Condition(
        N_("Gateway's clock is wrong"),
        N_(
            "What the gateway measures is stamped by a wrong clock. Once the difference is known its stamps are put "
            "right, here and on bills; until then such readings are shown as doubtful and never billed."
        ),
        (
            N_("On the gateway: timedatectl set-ntp true, or set the clock by hand."),
            N_("If it comes again after each power cut, give the gateway a battery for its clock."),
        ),
    ),
    "store_filling": Condition(
        N_("Gateway's store fills"),
        N_("The gateway keeps what it could not deliver. At 70 % of its quota there is still time."),
        (N_("See why the gateway does not deliver: its link on the overview, or edge doctor on the gateway."),),
    ),
    "store_nearly_full": Condition(
        N_("Gateway's store is nearly full"),
        N_("From 85 % of its quota on the gateway lets go of what the centre has already; nothing else is lost yet."),
        (N_("Bring the link back, or carry the data by hand: edge buffer export"),),
    ),
    "store_full": Condition(
        N_("Gateway's store is full"),
        N_(
            "From 95 % of its quota on the gateway thins out telemetry that waits, and tells how much. Registers, alarms "
            "and results stay."
        ),
        (
            N_("Bring the link back, or carry the data by hand: edge buffer export"),
            N_("If the disk has room, raise quota under [edge] in the gateway's settings."),
        ),
    ),
    "store_failing": Condition(
        N_("Gateway cannot write to its disk"),
        N_(
            "The gateway cannot keep what it reads. Its doors stay shut for cards, because no opening may go unrecorded."
        ),
        (
            N_("Send the guard to the doors of this gateway."),
            N_("On the gateway: see whether the disk is full or worn out, and replace it."),
        ),
    ),
}
UNKNOWN_CONDITION = Condition("", N_("The gateway reported this condition."), ())

# What an alarm's details are called; others are shown as the gateway names them.
DETAILS = {
    "error": N_("Cause"),
    "reason": N_("Cause"),
    "rule": N_("Inferred by"),
    "floor": N_("Floor"),
    "direction": N_("Direction"),
    "door": N_("Door"),
    "mode": N_("Mode"),
    "fault_code": N_("Fault code"),
    "passenger_alarm": N_("Passenger alarm"),
    "in_door_zone": N_("In the door zone"),
    "plan": N_("Plan"),
    "missed": N_("Points missed"),
    "points": N_("Points"),
    "point": N_("Register"),
    "value": N_("Read"),
    "believed": N_("Last believed"),
    "behind_s": N_("Seconds behind"),
    "percent": N_("Percent"),
}

# The words of our profiles that alarms bring along.
DETAIL_VALUES = {
    "passenger-alarm": N_("the alarm button, and the car stands"),
    "outside-zone": N_("the car stands between floors"),
    "open": N_("open"),
    "closed": N_("shut"),
    "moving": N_("doors moving"),
    "none": N_("standing"),
    "stopped": N_("stopped"),
    "up": N_("going up"),
    "down": N_("going down"),
    "normal": N_("normal service"),
    "firefighter": N_("firefighters"),
    "fire": N_("fire"),
    "out-of-service": N_("out of service"),
    "cabinet-recall": N_("controller recall"),
    "on": N_("pressed"),
    "off": N_("not pressed"),
    "yes": N_("yes"),
    "no": N_("no"),
}


def point_name(point: str, gettext: Callable[[str], str]) -> str:
    """Name a point; the third of its sort with its number, and one that has no name as the device calls it."""
    if point in POINTS:
        return gettext(POINTS[point])
    sort = point.rstrip(digits)
    return f"{gettext(POINTS[sort])} {point.removeprefix(sort)}" if sort in POINTS else point


def states_of(kind: str, point: str) -> Mapping[int, str]:
    """Give the words of a point's codes; a second leak has those of the first."""
    return STATES.get((kind, point)) or STATES.get((kind, point.rstrip(digits)), {})
