package prober

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const phaseRequest = "request"

// dnsProber asks one name server one question.
type dnsProber struct {
	cfg      *DNSConfig
	tls      *tls.Config
	question dns.Question
	sections [3]*rrConditions
	dialer   *dialer
}

type rrConditions struct{ matches, allMatch, notMatches, noneMatches []*regexp.Regexp }

func (m *RRMatch) compile() (*rrConditions, error) {
	var out rrConditions
	for _, e := range []struct {
		into *[]*regexp.Regexp
		key  string
		from []string
	}{
		{&out.matches, "fail_if_matches_regexp", m.FailIfMatches},
		{&out.allMatch, "fail_if_all_match_regexp", m.FailIfAllMatch},
		{&out.notMatches, "fail_if_not_matches_regexp", m.FailIfNotMatches},
		{&out.noneMatches, "fail_if_none_matches_regexp", m.FailIfNoneMatches},
	} {
		var err error
		if *e.into, err = compileAll(e.key, e.from); err != nil {
			return nil, err
		}
	}
	return &out, nil
}

func newDNS(cfg *DNSConfig, d *dialer) (*dnsProber, error) {
	p := &dnsProber{cfg: cfg, dialer: d, question: dns.Question{
		Name:   dns.Fqdn(cfg.QueryName),
		Qtype:  dns.StringToType[strings.ToUpper(cfg.QueryType)],
		Qclass: dns.StringToClass[strings.ToUpper(cfg.QueryClass)],
	}}
	for i, m := range []RRMatch{cfg.ValidateAnswer, cfg.ValidateAuthority, cfg.ValidateAdditional} {
		var err error
		if p.sections[i], err = m.compile(); err != nil {
			return nil, err
		}
	}
	var err error
	p.tls, err = cfg.TLS.load()
	return p, err
}

func (*dnsProber) close() {}

func (p *dnsProber) check(target string) error {
	_, _, err := p.server(target)
	return err
}

// server returns host and port of the name server.
func (p *dnsProber) server(target string) (host, port string, err error) {
	port = "53"
	if p.cfg.Protocol == "tls" {
		port = "853"
	}
	if host, given, splitErr := net.SplitHostPort(target); splitErr == nil {
		return host, given, checkHostPort(target)
	}
	host = strings.TrimSuffix(strings.TrimPrefix(target, "["), "]")
	return host, port, checkHostPort(net.JoinHostPort(host, port))
}

func (p *dnsProber) probe(ctx context.Context, target string, r *Result) error {
	r.SpanName = "dns query"
	r.measure(DNSDuration, phaseResolve, phaseConnect, phaseTLS, phaseRequest)
	host, port, err := p.server(target)
	if err != nil {
		return err
	}
	network := "tcp"
	if p.cfg.Protocol == "udp" {
		network = "udp"
	}
	r.text("network.transport", network)
	r.text("dns.question.name", strings.TrimSuffix(p.question.Name, "."))
	r.server(host, port)

	var answer *dns.Msg
	conn, err := p.dialer.dial(ctx, r, network, net.JoinHostPort(host, port))
	if err == nil {
		answer, err = p.ask(ctx, r, conn, host)
		_ = conn.Close()
	}
	r.flag(DNSSucceeded, answer != nil)
	if answer == nil {
		answer = &dns.Msg{}
	}
	sections := [3][]dns.RR{answer.Answer, answer.Ns, answer.Extra}
	for i, name := range [3]string{DNSAnswers, DNSAuthority, DNSAdditional} {
		r.point(name, float64(len(sections[i])))
	}
	if p.question.Qtype == dns.TypeSOA {
		r.point(DNSSerial, serial(answer.Answer))
	}
	if err != nil {
		return err
	}
	err = p.judge(answer, sections, r)
	var mismatch *Failure
	r.flag(RegexFailed, asFailure(err, &mismatch) && mismatch.Type == typeMismatch)
	return err
}

func (p *dnsProber) ask(ctx context.Context, r *Result, conn net.Conn, host string) (*dns.Msg, error) {
	defer endsWith(ctx, conn)()
	if p.cfg.Protocol == "tls" {
		encrypted, err := p.cfg.TLS.handshake(ctx, r, conn, p.tls, host)
		if err != nil {
			return nil, err
		}
		conn = encrypted
	}
	start := time.Now()
	defer func() { r.phase(phaseRequest, start, time.Now()) }()
	query := &dns.Msg{Question: []dns.Question{p.question}}
	query.Id, query.RecursionDesired = dns.Id(), p.cfg.RecursionDesired
	c := &dns.Conn{Conn: conn, UDPSize: dns.MaxMsgSize}
	if err := c.WriteMsg(query); err != nil {
		return nil, fmt.Errorf("sending the query: %w", timeoutOr(ctx, err))
	}
	for {
		answer, err := c.ReadMsg()
		if err != nil {
			return nil, fmt.Errorf("reading the answer: %w", timeoutOr(ctx, err))
		}
		if answer.Id == query.Id && answer.Response && (len(answer.Question) == 0 || sameQuestion(answer.Question[0], p.question)) {
			return answer, nil
		}
		// Over UDP this is somebody else's answer, or one to an earlier query.
		r.explain("an answer to another query was ignored")
	}
}

func sameQuestion(a, b dns.Question) bool {
	return a.Qtype == b.Qtype && a.Qclass == b.Qclass && strings.EqualFold(a.Name, b.Name)
}

func serial(answers []dns.RR) float64 {
	for _, rr := range answers {
		if soa, ok := rr.(*dns.SOA); ok {
			return float64(soa.Serial)
		}
	}
	return 0
}

func (p *dnsProber) judge(answer *dns.Msg, sections [3][]dns.RR, r *Result) error {
	code := dns.RcodeToString[answer.Rcode]
	if code == "" {
		code = strconv.Itoa(answer.Rcode)
	}
	r.text("dns.response.code", code)
	r.explain("answered %s with %d answers", code, len(answer.Answer))
	valid := p.cfg.ValidRcodes
	if len(valid) == 0 {
		valid = []string{"NOERROR"}
	}
	if !slices.Contains(valid, code) {
		return failf(code, "response code %s is not valid", code)
	}
	for i, name := range [3]string{"answer", "authority", "additional"} {
		if err := p.sections[i].judge(name, sections[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *rrConditions) judge(section string, rrs []dns.RR) error {
	text := make([]string, len(rrs))
	for i, rr := range rrs {
		text[i] = rr.String()
	}
	for _, re := range c.matches {
		if slices.ContainsFunc(text, re.MatchString) {
			return failf(typeMismatch, "a record of the %s section matches %q", section, re)
		}
	}
	for _, re := range c.allMatch {
		if len(text) > 0 && !slices.ContainsFunc(text, func(s string) bool { return !re.MatchString(s) }) {
			return failf(typeMismatch, "all records of the %s section match %q", section, re)
		}
	}
	for _, re := range c.notMatches {
		if slices.ContainsFunc(text, func(s string) bool { return !re.MatchString(s) }) {
			return failf(typeMismatch, "a record of the %s section does not match %q", section, re)
		}
	}
	for _, re := range c.noneMatches {
		if !slices.ContainsFunc(text, re.MatchString) {
			return failf(typeMismatch, "no record of the %s section matches %q", section, re)
		}
	}
	return nil
}
