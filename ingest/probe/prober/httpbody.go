package prober

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"regexp"
)

// conditions are the compiled expressions of an [HTTPConfig].
type conditions struct {
	body, notBody     []*regexp.Regexp
	header, notHeader []headerCondition
}

type headerCondition struct {
	name         string
	re           *regexp.Regexp
	allowMissing bool
}

func (c *HTTPConfig) compile() (*conditions, error) {
	var out conditions
	var err error
	if out.body, err = compileAll("fail_if_body_matches_regexp", c.FailIfBodyMatches); err != nil {
		return nil, err
	}
	if out.notBody, err = compileAll("fail_if_body_not_matches_regexp", c.FailIfBodyNotMatches); err != nil {
		return nil, err
	}
	if out.header, err = compileHeaders("fail_if_header_matches", c.FailIfHeaderMatches); err != nil {
		return nil, err
	}
	if out.notHeader, err = compileHeaders("fail_if_header_not_matches", c.FailIfHeaderNotMatches); err != nil {
		return nil, err
	}
	return &out, nil
}

func compileHeaders(key string, matches []HeaderMatch) ([]headerCondition, error) {
	var out []headerCondition
	for i, m := range matches {
		if m.Header == "" || m.Regexp == "" {
			return nil, fmt.Errorf("%s[%d]: header and regexp must not be empty", key, i)
		}
		re, err := regexp.Compile(m.Regexp)
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", key, i, err)
		}
		out = append(out, headerCondition{textproto.CanonicalMIMEHeaderKey(m.Header), re, m.AllowMissing})
	}
	return out, nil
}

// readBody reads all of the body, counts it, and checks the conditions on
// headers and body. Only the beginning of the body is kept.
func (p *httpProber) readBody(resp *http.Response, a *answer, r *Result) error {
	var body io.Reader = resp.Body
	if p.cfg.Compression == "gzip" && resp.Header.Get("Content-Encoding") == "gzip" && resp.Request.Method != http.MethodHead {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return fmt.Errorf("decompressing the body: %w", err)
		}
		body = unpacked
	}
	if p.cfg.MaxBody > 0 {
		// One byte more than is allowed shows that there is more.
		body = io.LimitReader(body, int64(p.cfg.MaxBody)+1)
	}
	var kept bytes.Buffer
	var err error
	if len(p.conditions.body)+len(p.conditions.notBody) > 0 {
		a.body, err = io.Copy(&kept, io.LimitReader(body, int64(p.cfg.BodyLimit)))
	}
	if err == nil {
		var rest int64
		rest, err = io.Copy(io.Discard, body)
		a.body += rest
	}
	if err != nil {
		return fmt.Errorf("reading the body: %w", err)
	}
	r.explain("read a body of %d bytes", a.body)
	if p.cfg.MaxBody > 0 && a.body > int64(p.cfg.MaxBody) {
		return failf("body_too_large", "the body is larger than %s", p.cfg.MaxBody)
	}
	err = errors.Join(p.conditions.headers(resp.Header), p.conditions.text(kept.Bytes()))
	a.mismatch = err != nil
	return err
}

func (c *conditions) headers(h http.Header) error {
	for _, cond := range c.header {
		values, present := h[cond.name]
		if !present && !cond.allowMissing {
			return failf(typeMismatch, "there is no header %s", cond.name)
		}
		for _, v := range values {
			if cond.re.MatchString(v) {
				return failf(typeMismatch, "header %s matches %q", cond.name, cond.re)
			}
		}
	}
	for _, cond := range c.notHeader {
		values, present := h[cond.name]
		if !present {
			if cond.allowMissing {
				continue
			}
			return failf(typeMismatch, "there is no header %s", cond.name)
		}
		matched := false
		for _, v := range values {
			matched = matched || cond.re.MatchString(v)
		}
		if !matched {
			return failf(typeMismatch, "header %s does not match %q", cond.name, cond.re)
		}
	}
	return nil
}

func (c *conditions) text(body []byte) error {
	for _, re := range c.body {
		if re.Match(body) {
			return failf(typeMismatch, "the body matches %q", re)
		}
	}
	for _, re := range c.notBody {
		if !re.Match(body) {
			return failf(typeMismatch, "the body does not match %q", re)
		}
	}
	return nil
}
