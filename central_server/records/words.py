"""What the records say to people: how somebody belongs to a unit, kinds of vehicles and equipment, the audit."""

from central_server.dashboard.i18n import N_

BELONGINGS = {"owner": N_("Owner"), "tenant": N_("Tenant"), "occupant": N_("Lives with them")}
VEHICLES = {
    "car": N_("Car"),
    "electric_car": N_("Electric car"),
    "motorcycle": N_("Motorcycle"),
    "electric_bicycle": N_("Electric bicycle"),
    "other": N_("Other vehicle"),
}
EQUIPMENT = {
    "lift": N_("Lift"),
    "door": N_("Entrance door"),
    "gate": N_("Gate"),
    "pump": N_("Pump"),
    "fire": N_("Fire protection"),
    "lighting": N_("Lighting"),
    "electrical": N_("Electrical"),
    "ventilation": N_("Ventilation"),
    "camera": N_("Camera"),
    "meter": N_("Main meter"),
    "other": N_("Other equipment"),
}
UNIT_STATES = {"owned": N_("With owner"), "no_owner": N_("Without owner"), "let": N_("Let")}
METERS = {"electricity": N_("Electricity"), "water": N_("Water")}
TABS = (
    ("/records", N_("Units")),
    ("/records/people", N_("Persons")),
    ("/records/equipment", N_("Equipment")),
    ("/records/sites", N_("Sites and buildings")),
)
UNIT_TABS = {
    "people": N_("Persons"),
    "meters": N_("Meters"),
    "bills": N_("Bills"),
    "orders": N_("Work orders"),
    "vehicles": N_("Vehicles"),
    "history": N_("History"),
}
NOTES = {
    "records.add": N_("Added"),
    "records.edit": N_("Changed"),
    "records.remove": N_("Removed"),
    "records.move_in": N_("Somebody was entered for a unit"),
    "records.move_out": N_("Somebody's time in a unit was ended"),
    "records.reveal": N_("Phone and identity number were shown"),
    "records.vehicle": N_("A vehicle was added"),
    "records.import": N_("A file was brought in"),
}
TABLES = {
    "site": N_("Sites"),
    "building": N_("Buildings"),
    "owner": N_("Persons"),
    "unit": N_("Units"),
    "ownership": N_("Ownerships"),
    "tenancy": N_("Residents"),
    "vehicle": N_("Vehicles"),
    "equipment": N_("Equipment"),
}
COLUMNS = {
    "name": N_("Name"),
    "zone": N_("Time zone"),
    "phone": N_("Phone"),
    "id_number": N_("Identity number"),
    "area_m2": N_("Area m²"),
    "from_on": N_("From"),
    "to_on": N_("Until"),
    "kind": N_("Kind"),
    "person_id": N_("Person"),
    "unit_id": N_("Unit"),
    "plate": N_("Number plate"),
    "building_id": N_("Building"),
    "place": N_("Place"),
    "installed_on": N_("Installed on"),
}
