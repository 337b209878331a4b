package report

import (
	"fmt"
	"time"
)

// series returns the periods of a chart without gaps, of which there are at most
// so many, and what each of them is, such as a day.
func (r *Report) series(most int) ([]Period, string) {
	periods, width, unit := r.Hours, int64(3600), "an hour"
	if n := len(periods); n == 0 || (periods[n-1].At-periods[0].At)/width >= int64(most) {
		periods, width, unit = r.Days, 86400, "a day"
	}
	if len(periods) == 0 {
		return nil, unit
	}
	first, last := periods[0].At, periods[len(periods)-1].At
	n := (last-first)/width + 1
	if days := (n + int64(most) - 1) / int64(most); days > 1 {
		width *= days
		unit = fmt.Sprintf("%d days", days)
		n = (last-first)/width + 1
	}
	series := make([]Period, n)
	for i := range series {
		series[i].At = first + int64(i)*width
		series[i].Start = time.Unix(series[i].At, 0).UTC().Format("2006-01-02 15:04")
		if width >= 86400 {
			series[i].Start = series[i].Start[:len(time.DateOnly)]
		}
	}
	for i := range periods {
		p, s := &periods[i], &series[(periods[i].At-first)/width]
		s.Requests += p.Requests
		s.Visitors += p.Visitors
		s.Bytes += p.Bytes
		s.Failed += p.Failed
		s.ClientErrors += p.ClientErrors
		s.ServerErrors += p.ServerErrors
	}
	return series, unit
}
