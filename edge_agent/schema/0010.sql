-- Stretches of a lane in which records were thinned out or dropped for want of room; each was told by a tombstone.
CREATE TABLE thinned (
    id INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    from_seq INTEGER NOT NULL,
    to_seq INTEGER NOT NULL,
    reason TEXT NOT NULL,
    lost INTEGER NOT NULL
) STRICT;
CREATE INDEX thinned_place ON thinned (lane, to_seq);

-- Readings that the centre has, for people at the gateway; the first to go when room is wanted.
CREATE TABLE history (
    id INTEGER PRIMARY KEY,
    series_id INTEGER NOT NULL,
    at INTEGER NOT NULL,
    mantissa INTEGER,
    exponent INTEGER,
    quality INTEGER NOT NULL
) STRICT;
