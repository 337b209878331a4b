package security

import "github.com/goshawk-observability/goshawk/processors/security/injection"

// kind is a kind of finding.
type kind uint8

// The kinds. The first are those of injections.
const (
	scan kind = kind(injection.Kinds) + iota
	stuffing
	accounts
	flood
	scraping
	crowd
	kinds
)

// names are what findings call their kinds.
var names = [kinds]string{
	injection.SQL: "sql_injection", injection.Script: "cross_site_scripting", injection.Traversal: "path_traversal", injection.Command: "command_injection",
	injection.Expression: "expression_injection",
	scan:                 "vulnerability_scan", stuffing: "credential_stuffing", accounts: "many_accounts", flood: "request_flood", scraping: "scraping", crowd: "distributed_flood",
}

// doubts are how likely it is that a finding is none when it opens. Each doubling
// of what it needed to open takes a fifth off.
var doubts = [kinds]float64{
	injection.SQL: 0.3, injection.Script: 0.3, injection.Traversal: 0.3, injection.Command: 0.3, injection.Expression: 0.3,
	scan: 0.4, stuffing: 0.4, accounts: 0.5, flood: 0.4, scraping: 0.5, crowd: 0.4,
}

const (
	// lessDoubt is what each doubling leaves of the doubt, byTool what an agent does
	// that says that it is a tool for attacks.
	lessDoubt = 0.8
	byTool    = 0.3
	leastSure = 0.01
)

// set is a set of kinds.
type set uint16

func (s set) has(k kind) bool { return s&(1<<k) != 0 }

// verdict is what the inspection of a request found.
type verdict = injection.Verdict
