-- Commands of the centre, each once: what is begun here is never begun again, whatever happens.
CREATE TABLE command (
    id TEXT PRIMARY KEY,
    device TEXT NOT NULL,
    state TEXT NOT NULL,  -- begun, or how it ended
    expires_at INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL,  -- JSON: the command, and with its end what is told of it
    is_told INTEGER NOT NULL  -- whether the end stands in the control lane
) STRICT, WITHOUT ROWID;
CREATE INDEX command_expiry ON command (expires_at);
