package report

// Report is what is in the logs.
type Report struct {
	// Files are in the order in which they were read.
	Files []File `json:"files"`
	// Timezone is that of days and hours.
	Timezone string `json:"timezone"`
	Totals   Totals `json:"totals"`
	// Unreadable are the first lines that could not be read.
	Unreadable []Unreadable `json:"unreadable,omitempty"`
	// Notes say where a number is less than it should be.
	Notes []string `json:"notes,omitempty"`
	// Days are all days with requests; Hours are there if they are not too many.
	Days   []Period `json:"days"`
	Hours  []Period `json:"hours,omitempty"`
	Panels []Panel  `json:"panels"`
	// Latency is of all requests for which the log says it.
	Latency *Latency `json:"latency,omitempty"`

	// countries and cities are the rows of the map.
	countries, cities []Row
}

// File is a source that was read.
type File struct {
	Name string `json:"name"`
	// Bytes are those of the text, Lines all lines and Unreadable those of them that
	// are no requests.
	Bytes      int64  `json:"bytes"`
	Lines      int64  `json:"lines"`
	Unreadable int64  `json:"unreadable"`
	Format     string `json:"format,omitempty"`
	// Error is why the file was not read to its end.
	Error string `json:"error,omitempty"`
}

// Unreadable is a line that could not be read.
type Unreadable struct {
	File   string `json:"file"`
	Line   int64  `json:"line"`
	Reason string `json:"reason"`
	Text   string `json:"text"`
}

// Totals are of all requests that are counted.
type Totals struct {
	Requests uint64 `json:"requests"`
	// Successful got a status below 400, failed another.
	Successful   uint64 `json:"successful"`
	Failed       uint64 `json:"failed"`
	ClientErrors uint64 `json:"client_errors"`
	ServerErrors uint64 `json:"server_errors"`
	NotFound     uint64 `json:"not_found"`
	Bytes        int64  `json:"bytes"`
	// LogBytes is the size of the text of the logs, UnreadableLines are no requests.
	LogBytes        int64 `json:"log_bytes"`
	UnreadableLines int64 `json:"unreadable_lines"`
	// Outside are requests of another time than was asked for, ExcludedBots those of
	// bots that are left out, and Bots those that are counted.
	Outside      uint64 `json:"outside"`
	ExcludedBots uint64 `json:"excluded_bots"`
	Bots         uint64 `json:"bots"`
	// Visitors are different by site, client and agent. VisitorsDaily are different
	// by day, client and agent, as GoAccess counts them with --4xx-to-unique-count,
	// and VisitorsDailyWithout4xx those who got something else than a 4xx, which is
	// its default.
	Visitors                uint64 `json:"visitors"`
	VisitorsDaily           uint64 `json:"visitors_daily"`
	VisitorsDailyWithout4xx uint64 `json:"visitors_daily_without_4xx"`
	// Sessions are visits, which half an hour without a request ends. Those of at
	// most one page bounce.
	Sessions          uint64  `json:"sessions"`
	BounceRate        float64 `json:"bounce_rate"`
	PagesPerSession   float64 `json:"pages_per_session"`
	SecondsPerSession float64 `json:"seconds_per_session"`
	// These count different ones.
	Clients       int `json:"clients"`
	Files         int `json:"unique_files"`
	StaticFiles   int `json:"unique_static_files"`
	NotFoundFiles int `json:"unique_not_found"`
	Referrers     int `json:"unique_referrers"`
	// Start and End are the times of the first and the last request, RFC 3339.
	Start string `json:"start,omitempty"`
	End   string `json:"end,omitempty"`
}

// Period is a day or an hour.
type Period struct {
	// Start is such as 2006-01-02 or 2006-01-02T15, and At the Unix time in seconds.
	Start        string `json:"start"`
	At           int64  `json:"-"`
	Requests     uint64 `json:"requests"`
	Visitors     uint64 `json:"visitors"`
	Bytes        int64  `json:"bytes"`
	Failed       uint64 `json:"failed"`
	ClientErrors uint64 `json:"client_errors"`
	ServerErrors uint64 `json:"server_errors"`
}

// Panel is a table.
type Panel struct {
	// ID is the panel's name in JSON and in links, Title what people read, and
	// Column what the names of rows are.
	ID     string `json:"id"`
	Title  string `json:"title"`
	Column string `json:"column"`
	// Total is how many rows there are, of which Rows may be the first.
	Total int   `json:"total"`
	Rows  []Row `json:"rows"`

	// hasVisitors and hasLatency say which columns there are; isSessions that requests
	// are sessions, and that there is nothing else.
	hasVisitors, hasLatency, isSessions bool
}

// Row is a row of a table.
type Row struct {
	Name         string `json:"name"`
	Requests     uint64 `json:"requests"`
	Visitors     uint64 `json:"visitors,omitempty"`
	Bytes        int64  `json:"bytes"`
	ClientErrors uint64 `json:"client_errors,omitempty"`
	ServerErrors uint64 `json:"server_errors,omitempty"`
	// Country is an ISO 3166-1 code; the position is in degrees.
	Country   string   `json:"country,omitempty"`
	Latitude  float32  `json:"latitude,omitempty"`
	Longitude float32  `json:"longitude,omitempty"`
	Latency   *Latency `json:"latency,omitempty"`
}

// Latency is how long requests took, in milliseconds.
type Latency struct {
	Requests uint64  `json:"requests"`
	Mean     float64 `json:"mean_ms"`
	P50      float64 `json:"p50_ms"`
	P90      float64 `json:"p90_ms"`
	P95      float64 `json:"p95_ms"`
	P99      float64 `json:"p99_ms"`
	Max      float64 `json:"max_ms"`
}
