-- What the gateway has accepted and the centre has not yet acknowledged.
CREATE TABLE store (
    edge_id TEXT NOT NULL,
    epoch TEXT NOT NULL,  -- unsigned 64-bit number in decimal: INTEGER here is signed
    created_at INTEGER NOT NULL
) STRICT;

-- Counts are kept, never found by a scan. Everything up to acked_seq is deleted.
CREATE TABLE lane (
    lane INTEGER PRIMARY KEY,
    next_seq INTEGER NOT NULL,
    acked_seq INTEGER NOT NULL,
    CHECK (acked_seq >= 0 AND next_seq > acked_seq)
) STRICT;

CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    device TEXT NOT NULL,
    point TEXT NOT NULL,
    unit TEXT NOT NULL,
    UNIQUE (device, point, unit)
) STRICT;

-- A reading has a series, value = mantissa * 10 ** exponent (NULL: no value), and the device's
-- bytes in raw where it is not good. An event has no series; it is JSON [kind, subject, body].
-- In order of arrival: a key on (series, time) is several times slower to write.
CREATE TABLE record (
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    series_id INTEGER,
    at INTEGER NOT NULL,
    mantissa INTEGER,
    exponent INTEGER,
    quality INTEGER,
    raw BLOB,
    event TEXT,
    PRIMARY KEY (lane, seq)
) STRICT, WITHOUT ROWID;

INSERT INTO lane (lane, next_seq, acked_seq) VALUES (0, 1, 0), (1, 1, 0), (2, 1, 0), (3, 1, 0);
