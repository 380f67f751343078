"""The commissioning sheet of a site: what every device said on the day, for the meters' displays to be held against."""
