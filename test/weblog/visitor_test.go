package weblog

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// request is one that was made, and how it was answered.
type request struct {
	client, agent, host, method, path string
	status, bytes                     int
}

// diary is all requests that were made.
type diary struct {
	mu       sync.Mutex
	requests []request
}

// add returns how many requests there are.
func (d *diary) add(r request) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.requests = append(d.requests, r)
	return len(d.requests)
}

// visitor asks a server from an address of its own.
type visitor struct {
	client, agent string
	http          *http.Client
	diary         *diary
}

func newVisitor(s *server, client, agent string, d *diary) *visitor {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(client)}, Timeout: patience}
	return &visitor{client: client, agent: agent, diary: d, http: &http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			DisableCompression: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "tcp", s.address)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// ask makes a request, such as GET /search?q=1, and writes it into the diary. It
// returns how many there are.
func (v *visitor) ask(host, what string) (int, error) {
	method, target, _ := strings.Cut(what, " ")
	r, err := http.NewRequest(method, "http://"+host+target, nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("User-Agent", v.agent)
	response, err := v.http.Do(r)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	n, err := io.Copy(io.Discard, response.Body)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	path, _, _ := strings.Cut(target, "?")
	return v.diary.add(request{
		client: v.client, agent: v.agent, host: host, method: method, path: path, status: response.StatusCode, bytes: int(n),
	}), nil
}

// counts is what requests add up to, in the terms of /api/v1/weblog.
type counts struct {
	Requests int `json:"requests"`
	Visitors int `json:"visitors"`
	Bytes    int `json:"bytes"`
	Failed   int `json:"failed"`
}

// by counts requests by their names; those without one are left out. The site of
// a request says with client and agent whose it was.
func by(requests []request, site, name func(*request) string) map[string]counts {
	all, seen := map[string]counts{}, map[[4]string]bool{}
	for i := range requests {
		r := &requests[i]
		n := name(r)
		if n == "" {
			continue
		}
		c := all[n]
		c.Requests++
		c.Bytes += r.bytes
		if r.status >= 400 {
			c.Failed++
		}
		if who := [4]string{n, site(r), r.client, r.agent}; !seen[who] {
			seen[who] = true
			c.Visitors++
		}
		all[n] = c
	}
	return all
}
