-- A store as schema 0003 left it.
PRAGMA application_id = 1195930484;
PRAGMA user_version = 3;
BEGIN TRANSACTION;
CREATE TABLE lane (
    lane INTEGER PRIMARY KEY,
    next_seq INTEGER NOT NULL,
    acked_seq INTEGER NOT NULL, chain TEXT NOT NULL DEFAULT '',
    CHECK (acked_seq >= 0 AND next_seq > acked_seq)
) STRICT;
INSERT INTO "lane" VALUES(0,2,0,'');
INSERT INTO "lane" VALUES(1,1,0,'');
INSERT INTO "lane" VALUES(2,5,2,'');
INSERT INTO "lane" VALUES(3,2,0,'');
CREATE TABLE note (
    device TEXT NOT NULL,
    point TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (device, point)
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
    event TEXT,
    PRIMARY KEY (lane, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO "record" VALUES(0,1,NULL,1767225601000,NULL,NULL,NULL,NULL,'["alarm","device:em-1",{"state":"raised","priority":2}]');
INSERT INTO "record" VALUES(2,3,1,1767225602000,2041735,-2,0,NULL,NULL);
INSERT INTO "record" VALUES(2,4,2,1767225603000,NULL,0,2,X'FF01',NULL);
INSERT INTO "record" VALUES(3,1,1,1767225604000,-5,0,0,NULL,NULL);
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    device TEXT NOT NULL,
    point TEXT NOT NULL,
    unit TEXT NOT NULL,
    UNIQUE (device, point, unit)
) STRICT;
INSERT INTO "series" VALUES(1,'em-1','energyImportTotal','kWh');
INSERT INTO "series" VALUES(2,'wm-1','volumeTotal','m3');
CREATE TABLE store (
    edge_id TEXT NOT NULL,
    epoch TEXT NOT NULL,  -- unsigned 64-bit number in decimal: INTEGER here is signed
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO "store" VALUES('gw-1','16102570135257832241',1767225600000);
COMMIT;
