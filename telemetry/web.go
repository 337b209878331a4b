package telemetry

// WebHit is one request that a web server logged: a row of the table web_hits.
//
// Its strings are views of the batch's records or belong to the processor that
// made it, which keeps them valid until the batch is reset.
type WebHit struct {
	// Time is when the server logged the request, Unix nanoseconds.
	Time    int64
	TraceID TraceID
	// Resource is the server, an index into Batch.Resources.
	Resource uint32

	// Site is the virtual host, or the name of the service where the log has none.
	Site string
	// Client is the address that the request is from: that of the peer, or behind
	// trusted proxies that which they forward. It can be a host name.
	Client string
	// Visitor is a hash of the tenant, the site, the client and its agent.
	Visitor uint64
	// Country is the ISO 3166-1 code of two letters, empty if it is not known. City is
	// empty without data for cities; the position is then the country's centre,
	// in degrees, and zero if nothing is known.
	Country, City       string
	Latitude, Longitude float32
	// User is whom the server authenticated.
	User string

	// Method is empty where the request line could not be read; Path has it then
	// as it was logged.
	Method string
	// Path is what was asked for, without the query, which is Query.
	Path, Query string
	// Route is the path with ids folded, such as /orders/{id}.
	Route string
	// Protocol is the version of HTTP, such as HTTP/1.1.
	Protocol string
	Status   uint16
	// Sent is the size of the answer in bytes and Duration how long it took in
	// nanoseconds; -1 if it was not logged.
	Sent, Duration int64
	// Asset is set for what belongs to a page: images, styles, scripts, fonts.
	Asset bool

	// Referrer is as it was logged, ReferrerHost its host, and Keywords what was
	// searched for there, where it says so.
	Referrer, ReferrerHost, Keywords string
	UserAgent                        string
	// Browser and System are families, such as Firefox and Linux. Bot is the name
	// of a crawler or tool, empty for people.
	Browser, System, Bot string
	// TLS is the version of TLS, and Cache what the server's cache did, such as HIT.
	TLS, Cache string
}

// WebSession is a visit: the requests of a visitor without a long pause between
// them. It is a row of the table web_sessions.
//
// Its strings belong to the processor that made it and stay valid.
type WebSession struct {
	Tenant, Site string
	Visitor      uint64
	// Start and End are the times of the first and the last request, Unix nanoseconds.
	Start, End                    int64
	Client, Country, User         string
	Browser, System, Bot          string
	ReferrerHost, Entry, Exit     string // of the first page, and paths of the first and last page
	Hits, Pages, Failures, Errors uint32 // requests, those for pages, those answered 4xx and 5xx
	Sent                          int64  // bytes
}

// Finding is something that somebody does who means harm, as far as it is known: a
// row of the table findings. Of the rows with the same ID the one with the greatest
// Last and Hits says most.
//
// Its strings belong to the processor that made it and stay valid.
type Finding struct {
	Tenant string
	// ID is the same for all rows about one thing.
	ID uint64
	// Kind says what it is, such as sql_injection or request_flood.
	Kind string
	// Actor is who does it: an address, a network, or "many" for a crowd; Target
	// is the site and Subject what of it: a path, an account, a tool.
	Actor, Target, Subject string
	// First and Last are the times of the first and the last request, Unix nanoseconds.
	First, Last int64
	// Hits counts the requests, Clients the addresses.
	Hits, Clients uint64
	// Confidence is from 0 to 1.
	Confidence float64
	// Harmless counts the requests of the same actor in that time that were not part
	// of it: what a block of the actor would have cost.
	Harmless uint64
	// Reason says for a person what was seen.
	Reason string
	// Evidence is a range of Batch.Words: requests as lines of the combined log format.
	Evidence Range
	// Over is set when the finding is closed.
	Over bool
}

// resetEvents empties what processors read out of logs and made of it.
func (b *Batch) resetEvents() {
	clear(b.WebHits)
	clear(b.Visits)
	clear(b.WebSessions)
	clear(b.Findings)
	clear(b.Patterns)
	clear(b.Failures)
	clear(b.Changes)
	b.WebHits = b.WebHits[:0]
	b.Visits = b.Visits[:0]
	b.WebSessions = b.WebSessions[:0]
	b.Findings = b.Findings[:0]
	b.Patterns = b.Patterns[:0]
	b.Failures = b.Failures[:0]
	b.Changes = b.Changes[:0]
}
