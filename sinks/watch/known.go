package watch

import "time"

// Minute is a time in minutes since 1970.
type Minute int64

// Minutes returns how many whole minutes a duration has.
func Minutes(d time.Duration) Minute { return Minute(d / time.Minute) }

// Time returns the start of the minute.
func (m Minute) Time() time.Time { return time.Unix(int64(m)*60, 0).UTC() }

// String writes the start of the minute as RFC 3339 has it.
func (m Minute) String() string { return m.Time().Format(time.RFC3339) }

// The states, as the tables of books have them.
const (
	Present  = "present"
	Vanished = "vanished"
)

// Known is what is known of something that may come and go.
type Known struct {
	// First and Last are when it was seen at all, and Changed is since when it is
	// in its state.
	First, Last, Changed Minute
	Gone                 bool // whether it has vanished
	// Announced is set once Kafka has the event of the last change, or where there
	// is none to make.
	Announced bool
	// Written is what Last was when the books were written, -1 where they have
	// to be.
	Written Minute
}

// State is the state in the books.
func (k *Known) State() string {
	if k.Gone {
		return Vanished
	}
	return Present
}

// Change is what the last change was.
func (k *Known) Change() string {
	switch {
	case k.Gone:
		return "vanished"
	case k.Changed == k.First:
		return "new"
	}
	return "returned"
}

// Unwritten reports whether the books have to be written, which may be behind in
// when it was seen last by less than some minutes.
func (k *Known) Unwritten(behind Minute) bool { return k.Written < 0 || k.Last >= k.Written+behind }
