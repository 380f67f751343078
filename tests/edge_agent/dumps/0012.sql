-- A store as schema 0012 left it.
PRAGMA application_id = 1195930484;
PRAGMA user_version = 12;
BEGIN TRANSACTION;
CREATE TABLE clock (
    id INTEGER PRIMARY KEY,
    boot TEXT NOT NULL,
    offset_ms INTEGER NOT NULL,  -- wall clock minus monotonic clock
    since_ms INTEGER NOT NULL,  -- the monotonic clock at its beginning
    shift_ms INTEGER,  -- what has to be added to the stamps; NULL: not known
    is_proved INTEGER NOT NULL,
    safety_seq INTEGER NOT NULL,
    control_seq INTEGER NOT NULL,
    billing_seq INTEGER NOT NULL,
    telemetry_seq INTEGER NOT NULL
) STRICT;
CREATE TABLE command (
    id TEXT PRIMARY KEY,
    device TEXT NOT NULL,
    state TEXT NOT NULL,  -- begun, or how it ended
    expires_at INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL,  -- JSON: the command, and with its end what is told of it
    is_told INTEGER NOT NULL  -- whether the end stands in the control lane
) STRICT, WITHOUT ROWID;
CREATE TABLE history (
    id INTEGER PRIMARY KEY,
    series_id INTEGER NOT NULL,
    at INTEGER NOT NULL,
    mantissa INTEGER,
    exponent INTEGER,
    quality INTEGER NOT NULL
, shift_ms INTEGER DEFAULT 0) STRICT;
CREATE TABLE incident (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    detail TEXT NOT NULL,
    is_told INTEGER NOT NULL
) STRICT;
CREATE TABLE lane (
    lane INTEGER PRIMARY KEY,
    next_seq INTEGER NOT NULL,
    acked_seq INTEGER NOT NULL, chain TEXT NOT NULL DEFAULT '', seal INTEGER, absent INTEGER NOT NULL DEFAULT 0,
    CHECK (acked_seq >= 0 AND next_seq > acked_seq)
) STRICT;
INSERT INTO "lane" VALUES(0,2,0,'',NULL,0);
INSERT INTO "lane" VALUES(1,1,0,'',NULL,0);
INSERT INTO "lane" VALUES(2,5,2,'',NULL,0);
INSERT INTO "lane" VALUES(3,2,0,'',NULL,0);
CREATE TABLE note (
    device TEXT NOT NULL,
    point TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (device, point)
) STRICT, WITHOUT ROWID;
CREATE TABLE outage (
    device TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    cause TEXT NOT NULL,
    PRIMARY KEY (device, since)
) STRICT, WITHOUT ROWID;
CREATE TABLE past_epoch (
    id INTEGER PRIMARY KEY,
    epoch TEXT NOT NULL,
    safety_seq INTEGER NOT NULL,
    control_seq INTEGER NOT NULL,
    billing_seq INTEGER NOT NULL,
    telemetry_seq INTEGER NOT NULL,
    seal INTEGER NOT NULL
) STRICT;
CREATE TABLE quarantine (
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    record TEXT NOT NULL,
    is_back INTEGER NOT NULL DEFAULT 0,  -- stored again under a new number; this one is not sent all the same
    PRIMARY KEY (lane, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE record (
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    series_id INTEGER,
    at INTEGER NOT NULL,
    mantissa INTEGER,
    exponent INTEGER,
    quality INTEGER,
    raw BLOB,
    event TEXT, seal INTEGER,
    PRIMARY KEY (lane, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO "record" VALUES(0,1,NULL,1767225601000,NULL,NULL,NULL,NULL,'["alarm","device:em-1",{"state":"raised","priority":2}]',NULL);
INSERT INTO "record" VALUES(2,3,1,1767225602000,2041735,-2,0,NULL,NULL,NULL);
INSERT INTO "record" VALUES(2,4,2,1767225603000,NULL,0,2,X'FF01',NULL,NULL);
INSERT INTO "record" VALUES(3,1,1,1767225604000,-5,0,0,NULL,NULL,NULL);
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    device TEXT NOT NULL,
    point TEXT NOT NULL,
    unit TEXT NOT NULL, seal INTEGER,
    UNIQUE (device, point, unit)
) STRICT;
INSERT INTO "series" VALUES(1,'em-1','energyImportTotal','kWh',NULL);
INSERT INTO "series" VALUES(2,'wm-1','volumeTotal','m3',NULL);
CREATE TABLE store (
    edge_id TEXT NOT NULL,
    epoch TEXT NOT NULL,  -- unsigned 64-bit number in decimal: INTEGER here is signed
    created_at INTEGER NOT NULL
, seal INTEGER, origin TEXT NOT NULL DEFAULT '') STRICT;
INSERT INTO "store" VALUES('gw-1','16102570135257832241',1767225600000,NULL,'');
CREATE TABLE thinned (
    id INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    from_seq INTEGER NOT NULL,
    to_seq INTEGER NOT NULL,
    reason TEXT NOT NULL,
    lost INTEGER NOT NULL
) STRICT;
CREATE INDEX command_expiry ON command (expires_at);
CREATE INDEX thinned_place ON thinned (lane, to_seq);
COMMIT;
