package report

import (
	"cmp"
	"slices"
	"time"
)

// maxHourly bounds the hours of a report that shows them: two weeks.
const maxHourly = 14 * 24

func (b *builder) periods(v *shard) {
	days := make(map[int32]*tally)
	first, last := int32(1<<31-1), int32(-1)
	for index, h := range b.all.hours {
		if index == noHour {
			continue
		}
		h.visitors = v.hours[index]
		first, last = min(first, index), max(last, index)
		day := days[index/24]
		if day == nil {
			day = &tally{}
			days[index/24] = day
		}
		visitors := day.visitors
		day.merge(h)
		day.visitors = visitors
	}
	for index, d := range days {
		d.visitors = v.days[index]
		b.report.Days = append(b.report.Days, period(int64(index)*86400, time.DateOnly, d))
	}
	if last-first < maxHourly {
		for index, h := range b.all.hours {
			if index != noHour {
				b.report.Hours = append(b.report.Hours, period(int64(index)*3600, "2006-01-02T15", h))
			}
		}
	}
	for _, p := range [][]Period{b.report.Days, b.report.Hours} {
		slices.SortFunc(p, func(a, b Period) int { return cmp.Compare(a.At, b.At) })
	}
}

func period(at int64, layout string, t *tally) Period {
	return Period{
		Start: time.Unix(at, 0).UTC().Format(layout), At: at, Requests: t.requests, Visitors: t.visitors, Bytes: t.bytes,
		Failed: t.clientErrors + t.serverErrors, ClientErrors: t.clientErrors, ServerErrors: t.serverErrors,
	}
}

// rhythm adds the hours of the day and the days of the week.
func (b *builder) rhythm(v *shard) {
	var hours [24]tally
	var weekdays [7]tally
	for index, h := range b.all.hours {
		if index == noHour {
			continue
		}
		hours[index%24].merge(h)
		w := &weekdays[weekday(index/24)]
		visitors := w.visitors
		w.merge(h)
		w.visitors = visitors
	}
	for day, n := range v.days {
		if day >= 0 {
			weekdays[weekday(day)].visitors += n
		}
	}
	var rows []Row
	for i := range hours {
		rows = append(rows, row(string([]byte{'0' + byte(i/10), '0' + byte(i%10)}), &hours[i]))
	}
	b.whole(Panel{ID: "hours", Title: "Hours of the day", Column: "hour", hasVisitors: true}, rows)
	rows = nil
	for i := range weekdays {
		rows = append(rows, row(time.Weekday((i+1)%7).String(), &weekdays[i]))
	}
	b.whole(Panel{ID: "weekdays", Title: "Days of the week", Column: "day", hasVisitors: true}, rows)
}

// weekday returns 0 for the Mondays of days since 1970.
func weekday(day int32) int { return int(day+3) % 7 }
