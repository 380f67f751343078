-- By how much a stamp of the history was wrong, as far as was known when it went there; NULL: nobody knew.
ALTER TABLE history ADD COLUMN shift_ms INTEGER DEFAULT 0;
