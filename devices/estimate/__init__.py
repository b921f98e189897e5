"""What a phone that is not here might do: published times of known networks on it, against the same networks here."""
