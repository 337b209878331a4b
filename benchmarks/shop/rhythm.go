package shop

import (
	"math"
	"time"
)

// rhythm is the demand at a moment as a factor around 1: low at four in the
// morning, high in the evening with a smaller peak at noon, and a weekend that
// starts later and is busier by day. The clock is UTC.
func rhythm(at time.Time) float64 {
	at = at.UTC()
	hour := float64(at.Hour()) + float64(at.Minute())/60 + float64(at.Second())/3600
	peak := func(center, width, height float64) float64 {
		d := math.Abs(hour - center)
		d = min(d, 24-d)
		return height * math.Exp(-d*d/(2*width*width))
	}
	day := .45 + peak(12.5, 2.5, .55) + peak(20, 2.8, .95)
	weekend := .45 + peak(15, 4, .95) + peak(21, 2.5, .7)

	// The share of the weekend changes over two hours around midnight, so that
	// demand never jumps.
	share := func(day time.Weekday) float64 {
		if day == time.Saturday || day == time.Sunday {
			return 1
		}
		return 0
	}
	today := share(at.Weekday())
	switch {
	case hour < 1:
		today += (share(at.AddDate(0, 0, -1).Weekday()) - today) * (1 - hour) / 2
	case hour > 23:
		today += (share(at.AddDate(0, 0, 1).Weekday()) - today) * (hour - 23) / 2
	}
	return day*(1-today) + weekend*today
}
