package main

import (
	"bufio"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// combined is the format as a regular expression; the end of a line may be cut off.
var combined = regexp.MustCompile(`^(\S+) \S+ \S+ \[([^\]]+)\] "(?:([A-Z]+) )?(.*?)(?: (HTTP/[\d.]+))?" (\d{3}) (\S+) "(.*?)" "(.*?)("?)$`)

// count counts the lines of a log in the plainest way: with a regular expression
// and sets of texts, so that it can be told who of two programs is right.
func count(file string) (panels, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := make(panels)
	seen := make(map[string]bool)
	add := func(panel, row, person string, bytes int64) {
		c := counts{hits: 1, bytes: bytes}
		if key := panel + "\x00" + row + "\x00" + person; !seen[key] {
			seen[key] = true
			c.visitors = 1
		}
		p.add(panel, row, c)
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := combined.FindStringSubmatch(lines.Text())
		if m == nil || m[10] == "" {
			p.add("totals", "lines that are none", counts{hits: 1})
			continue
		}
		at, err := time.Parse("02/Jan/2006:15:04:05 -0700", m[2])
		if err != nil {
			return nil, err
		}
		sent, _ := strconv.ParseInt(m[7], 10, 64)
		at = at.UTC()
		person := at.Format(time.DateOnly) + "\x00" + m[1] + "\x00" + m[9]
		p.add("totals", "requests", counts{hits: 1})
		p.add("totals", "bytes", counts{hits: sent})
		if !seen[person] {
			seen[person] = true
			p.add("totals", "visitors", counts{hits: 1})
		}
		add("days", at.Format(time.DateOnly), person, sent)
		add("hours of the day", at.Format("15"), person, sent)
		add("addresses", m[1], person, sent)
		add("statuses", m[6], person, sent)
		if m[6] == "404" {
			add("not found", decoded(m[4]), person, sent)
		} else {
			add("URLs", decoded(m[4]), person, sent)
		}
		if m[8] != "-" {
			add("referring URLs", referrerName(m[8]), person, sent)
			_, rest, _ := strings.Cut(m[8], "://")
			host, _, _ := strings.Cut(rest, "/")
			host, _, _ = strings.Cut(host, "?")
			host, _, _ = strings.Cut(host, ":")
			add("referring sites", withoutWWW(host), person, sent)
		}
	}
	p.add("totals", "URLs not found", counts{hits: int64(len(p["not found"]))})
	return p, lines.Err()
}
