package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-observability/goshawk/processors/security"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// assets are endings of paths of what belongs to a page.
var assets = strings.Fields(".png .jpg .jpeg .gif .svg .ico .css .js .woff .woff2 .ttf .webp .map")

// hits reads an access log in the combined format, in the order of time.
func hits(name string) ([]telemetry.WebHit, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the log: %w", err)
	}
	var all []telemetry.WebHit
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		parts := strings.Split(s.Text(), `"`)
		if len(parts) < 6 {
			continue
		}
		before, request, after := strings.Fields(parts[0]), strings.Fields(parts[1]), strings.Fields(parts[2])
		if len(before) < 5 || len(request) < 2 || len(after) < 2 {
			continue
		}
		at, err := time.Parse("[02/Jan/2006:15:04:05 -0700]", before[3]+" "+before[4])
		if err != nil {
			continue
		}
		h := telemetry.WebHit{
			Time: at.UnixNano(), Site: "site", Client: before[0], Method: request[0], Sent: -1, Duration: -1, Referrer: parts[3], UserAgent: parts[5],
		}
		h.Path, h.Query, _ = strings.Cut(request[1], "?")
		status, _ := strconv.ParseUint(after[0], 10, 16)
		h.Status = uint16(status)
		h.Asset = slices.Contains(assets, strings.ToLower(path.Ext(h.Path)))
		all = append(all, h)
	}
	slices.SortStableFunc(all, func(a, b telemetry.WebHit) int { return int(min(max(a.Time-b.Time, -1), 1)) })
	return all, nil
}

// replay sends the requests of a log through the processor, and prints what it
// finds in them.
func replay(name string, out io.Writer) error {
	all, err := hits(name)
	if err != nil {
		return err
	}
	p, err := security.New(security.DefaultConfig())
	if err != nil {
		return err
	}
	found := 0
	send := func(at int64, visits []telemetry.WebHit) error {
		b := &telemetry.Batch{Records: []telemetry.Record{{ReceiveTime: at, Idle: len(visits) == 0}}, Resources: []telemetry.Resource{{}}, Visits: visits}
		if err := p.Process(context.Background(), b); err != nil {
			return fmt.Errorf("looking at requests: %w", err)
		}
		for i := range b.Findings {
			f := &b.Findings[i]
			if !f.Over {
				continue
			}
			found++
			fmt.Fprintf(out, "%s by %s since %s, %d requests, confidence %.2f, harmless %d: %s\n", f.Kind, f.Actor, time.Unix(0, f.First).UTC().Format(time.DateTime), f.Hits, f.Confidence, f.Harmless, f.Reason)
			for _, line := range b.Words[f.Evidence.Start:f.Evidence.End] {
				fmt.Fprintf(out, "    %s\n", line)
			}
		}
		return nil
	}
	for i := range all {
		if err := send(all[i].Time, all[i:i+1]); err != nil {
			return err
		}
	}
	if len(all) > 0 {
		if err := send(all[len(all)-1].Time+int64(time.Hour), nil); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d requests, %d findings\n", len(all), found)
	return nil
}
