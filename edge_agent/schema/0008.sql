-- Records that the centre refuses for good, with what they were. They keep their place in their lane, are
-- not sent, and a tombstone tells of each; ``record`` is JSON, see edge_agent/quarantine.py.
CREATE TABLE quarantine (
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    record TEXT NOT NULL,
    is_back INTEGER NOT NULL DEFAULT 0,  -- stored again under a new number; this one is not sent all the same
    PRIMARY KEY (lane, seq)
) STRICT, WITHOUT ROWID;
