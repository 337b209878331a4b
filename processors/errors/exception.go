package errors

import (
	"strings"
	"unicode/utf8"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// exception is what the attributes of a log record say of an error. Its strings
// are views of the record.
type exception struct {
	kind, message, stack string
	// fingerprint is what the client groups by: a text, or a list of texts in JSON.
	fingerprint string
	// escaped is set where nobody caught it, caught where somebody is known to have.
	escaped, caught      bool
	user, email          string
	userRank             int
	transaction, event   string
	release, environment string
}

// prefix begins the names of attributes of exceptions.
const prefix = "exception."

// hasException reports whether a log record is about an exception. It is asked of
// every log record.
func hasException(attrs []telemetry.Attr) bool {
	for i := range attrs {
		if key := attrs[i].Key; len(key) >= len("exception.type") && key[0] == 'e' && strings.HasPrefix(key, prefix) {
			if name := key[len(prefix):]; (name == "type" || name == "stacktrace") && attrs[i].Value.Str != "" {
				return true
			}
		}
	}
	return false
}

// users are the attributes that say who was affected, the best last.
var users = [...]string{"enduser.pseudo.id", "user.name", "user.hash", "enduser.id", "user.id"}

// read reads the attributes of a log record.
func read(attrs []telemetry.Attr) (e exception) {
	for i := range attrs {
		v := &attrs[i].Value
		text := v.Str
		if v.Kind != telemetry.KindString {
			text = ""
		}
		switch attrs[i].Key {
		case "exception.type":
			e.kind = text
		case "exception.message":
			e.message = text
		case "exception.stacktrace":
			e.stack = text
		case "exception.escaped":
			e.escaped = isTrue(v)
		case "sentry.handled":
			e.caught = isTrue(v)
			e.escaped = !e.caught
		case "sentry.fingerprint":
			e.fingerprint = text
		case "sentry.event_id":
			e.event = text
		case "log.record.uid":
			if e.event == "" {
				e.event = text
			}
		case "sentry.transaction":
			e.transaction = text
		case "http.route":
			if e.transaction == "" {
				e.transaction = text
			}
		case "user.email":
			e.email = text
		case "enduser.pseudo.id", "user.name", "user.hash", "enduser.id", "user.id":
			e.takeUser(attrs[i].Key, text)
		}
	}
	return e
}

func (e *exception) takeUser(key, text string) {
	for rank, name := range users {
		if name == key && text != "" && rank+1 > e.userRank {
			e.user, e.userRank = text, rank+1
		}
	}
}

// userName is who was affected. An address is not stored: its hash tells users
// apart.
func (e *exception) userName() string {
	if e.user == "" && e.email != "" {
		return telemetry.HashUser(e.email)
	}
	return shortened(e.user, maxName)
}

// ofResource reads the attributes of the resource.
func (e *exception) ofResource(attrs []telemetry.Attr) {
	for i := range attrs {
		if attrs[i].Value.Kind != telemetry.KindString {
			continue
		}
		switch attrs[i].Key {
		case "service.version":
			e.release = shortened(attrs[i].Value.Str, maxName)
		case "deployment.environment.name":
			e.environment = shortened(attrs[i].Value.Str, maxName)
		case "deployment.environment":
			if e.environment == "" {
				e.environment = shortened(attrs[i].Value.Str, maxName)
			}
		}
	}
}

func isTrue(v *telemetry.Value) bool {
	return v.Kind == telemetry.KindBool && v.Bool() || v.Kind == telemetry.KindString && v.Str == "true"
}

// shortened returns the beginning of a text, at most so many bytes and whole
// characters.
func shortened(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
