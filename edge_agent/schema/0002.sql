-- What the counter guard knows of each billed register; changes with the reads it has judged.
CREATE TABLE note (
    device TEXT NOT NULL,
    point TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (device, point)
) STRICT, WITHOUT ROWID;
