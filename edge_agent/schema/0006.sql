-- A checksum of each row, see edge_agent/seal.py; NULL where a version before has stored it.
ALTER TABLE record ADD COLUMN seal INTEGER;
ALTER TABLE series ADD COLUMN seal INTEGER;
ALTER TABLE lane ADD COLUMN seal INTEGER;
ALTER TABLE store ADD COLUMN seal INTEGER;
-- By what the store knows that it is no copy, see edge_agent/origin.py; '' before it was first looked at.
ALTER TABLE store ADD COLUMN origin TEXT NOT NULL DEFAULT '';

-- Epochs before this one, oldest first: in each lane their records go up to the number given here.
-- They are sent under their own epoch and numbers before anything of a later one is.
CREATE TABLE past_epoch (
    id INTEGER PRIMARY KEY,
    epoch TEXT NOT NULL,
    safety_seq INTEGER NOT NULL,
    control_seq INTEGER NOT NULL,
    billing_seq INTEGER NOT NULL,
    telemetry_seq INTEGER NOT NULL,
    seal INTEGER NOT NULL
) STRICT;

-- What has befallen the store: JSON {kind, ...}, for people and for the alarm that tells of it.
CREATE TABLE incident (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    detail TEXT NOT NULL,
    is_told INTEGER NOT NULL
) STRICT;
