-- The digest of the batch that ends at acked_seq, which the next one names; '' where it is not known.
ALTER TABLE lane ADD COLUMN chain TEXT NOT NULL DEFAULT '';
