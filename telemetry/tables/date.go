package tables

import "time"

// Date returns a day, in days since 1970, as text.
func Date(day int64) string { return time.Unix(day*86400, 0).UTC().Format(time.DateOnly) }
