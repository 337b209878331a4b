package topic

import "time"

// SetEndPatience shortens the wait before a lost end of a log is believed.
func (c *Consumer) SetEndPatience(d time.Duration) { c.endPatience = d }
