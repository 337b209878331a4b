package security

import (
	"fmt"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/goshawk-observability/goshawk/telemetry"
)

// attempt is what a request is for whoever watches logins.
type attempt struct {
	// attempt is set for an attempt to log in, failed where it certainly failed.
	attempt, failed bool
	// weight is how much it counts, in hundredths of a failed attempt.
	weight uint32
	user   string
}

// login tells what a request is.
func (p *Processor) login(h *telemetry.WebHit) (a attempt) {
	refused := h.Status == 401 || h.Status == 403 || h.Status == 429
	post := h.Method == "POST" || h.Method == "PUT"
	if !refused && !post {
		a.user = h.User
		return a
	}
	name := strings.TrimSuffix(h.Path, "/")
	name = name[strings.LastIndexByte(name, '/')+1:]
	here := len(name) <= 64 && (p.logins[name] || p.logins[strings.ToLower(name)])
	a.user = h.User
	switch {
	case here && (post || h.User != ""):
		a.attempt = true
		a.failed = refused || h.Status == 422 || h.Status == 400
		switch {
		case a.failed:
			a.weight = 100
		case h.Status >= 200 && h.Status < 300: // a form that is shown again, or a token
			a.weight = 50
		case h.Status < 400: // on to somewhere, after success as a rule
			a.weight = 25
		}
		if a.user == "" {
			a.user = account(h.Query)
		}
	case h.Status == 401 && h.User != "":
		a = attempt{attempt: true, failed: true, weight: 100, user: h.User}
	case h.Status == 401:
		a.weight = 10
	case h.Status == 403:
		a.weight = 5
	}
	return a
}

// account returns the account that a query names.
func account(query string) string {
	for query != "" {
		var part string
		part, query, _ = strings.Cut(query, "&")
		switch name, value, _ := strings.Cut(part, "="); strings.ToLower(name) {
		case "user", "username", "login", "email", "account", "log", "userid", "user_name", "mail":
			return value
		}
	}
	return ""
}

// attempts accuses a client that tries to log in again and again, or to many
// accounts.
func (p *Processor) attempts(b *telemetry.Batch, c *client, v *visit, a attempt, part *set) {
	if a.weight == 0 && a.user == "" {
		return
	}
	if c.logging == nil || v.at-c.logging.since > memory && !c.accused.has(stuffing) && !c.accused.has(accounts) {
		if c.logging == nil || v.at-c.last > memory {
			c.logging = &logging{since: v.at}
		} else { // the attempts of the last minute go on
			c.logging = &logging{since: v.at, attempts: c.logging.attempts}
		}
	}
	l := c.logging
	if a.user != "" {
		hash := xxh3.HashString(a.user)
		l.users.Add(hash)
		if a.failed {
			l.failed.Add(hash)
		}
	}
	if a.weight == 0 {
		return
	}
	l.attempts.add(v.at, minuteSlice, a.weight)
	sum, most := l.attempts.sum(), 100*p.cfg.Logins.Failures
	if c.accused.has(stuffing) && a.weight >= 25 {
		p.accuse(b, c, v, stuffing, part, 0, "", "")
	} else if a.weight >= 25 || sum >= most {
		waiting := c.wait(stuffing, v)
		if sum >= most {
			users := l.users.Count()
			detail := fmt.Sprintf("%d attempts to log in, most of which failed", waiting.hits)
			if users > 0 {
				detail += fmt.Sprintf(", to %d accounts", users)
			}
			f := p.accuse(b, c, v, stuffing, part, 0, "", detail)
			if f != nil && f.client == v.client && users >= 5 {
				f.doubt *= 0.5
			}
		}
	}
	if a.user == "" || !a.attempt {
		return
	}
	if c.accused.has(accounts) {
		p.accuse(b, c, v, accounts, part, 0, "", "")
		return
	}
	c.wait(accounts, v)
	failed, users := l.failed.Count(), l.users.Count()
	if failed >= p.cfg.Logins.Accounts || users >= 5*p.cfg.Logins.Accounts {
		p.accuse(b, c, v, accounts, part, 0, "", fmt.Sprintf("tried %d accounts from one address, and failed with %d of them", users, failed))
	}
}
