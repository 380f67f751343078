-- How far the clock was to be believed: a stretch begins in each lane with the number given here.
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
