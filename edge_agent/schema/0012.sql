-- How many numbers above acked_seq have no record any more: thinned out, or told as lost. Kept, never counted at a start.
ALTER TABLE lane ADD COLUMN absent INTEGER NOT NULL DEFAULT 0;
UPDATE lane SET absent = coalesce(
    (SELECT sum(lost) FROM thinned WHERE thinned.lane = lane.lane AND from_seq > acked_seq), 0
);
