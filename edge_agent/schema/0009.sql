-- When a meter was not read, and why; each stands in the control lane as well, as a "gap".
CREATE TABLE outage (
    device TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    cause TEXT NOT NULL,
    PRIMARY KEY (device, since)
) STRICT, WITHOUT ROWID;
