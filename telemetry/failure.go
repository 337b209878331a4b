package telemetry

// Failure is an error that an application reported, with an exception or a stack: a
// row of the table errors. Failures of the same Group are the same error.
//
// Its strings are valid until the batch is reset.
type Failure struct {
	// Time is when it happened, Unix nanoseconds.
	Time     int64
	Resource uint32 // index into Batch.Resources
	TraceID  TraceID
	SpanID   SpanID
	// Group is a hash of tenant, service, type and stack that is the same for the
	// same error, and Fingerprint what a client chose to group by instead, if it did.
	Group       uint64
	Fingerprint string
	// Type and Message are those of the exception, Culprit the function it comes
	// from, Stack the stack as text.
	Type, Message, Culprit, Stack string
	// Class is the severity class, 0 (unspecified) to 6 (fatal).
	Class uint8
	// Handled is set where the application caught it.
	Handled bool
	// Release and Environment are of the application that failed.
	Release, Environment string
	// User identifies who was affected, empty if it is not known.
	User string
	// Transaction is the request or job in which it happened.
	Transaction string
	// Event is the id that the client gave it.
	Event string
}

// Change is what somebody did to the estate: a deployment, a configuration, a
// restart. It is a row of the table changes.
//
// Its strings are valid until the batch is reset.
type Change struct {
	Tenant string
	// Time is when it happened, Unix nanoseconds.
	Time int64
	// ID is the same for reports of the same change, the last of which counts.
	ID string
	// Kind is deployment, configuration, scaling, restart, rollback, feature_flag or
	// another word; Status is started, succeeded or failed.
	Kind, Status string
	// Service and Host are what was changed, Version what it is now.
	Service, Version, Host, Environment string
	// Author did it, Source reported it, such as github, and Link leads there.
	Author, Source, Link string
	// Title says what was done.
	Title string
}
