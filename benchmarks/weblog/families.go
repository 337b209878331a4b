package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/goshawk-observability/goshawk/telemetry"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/accesslog"
	"github.com/goshawk-observability/goshawk/telemetry/weblog/classify"
)

// family is what a user agent is taken for: by GoAccess, and by us.
type family struct{ theirs, ours string }

// compareFamilies prints what each of the programs takes the user agents of a log
// for, with an example of each pair. GoAccess is run for each agent.
func compareFamilies(ctx context.Context, file string, w io.Writer) error {
	agents, err := agentsOf(file)
	if err != nil {
		return err
	}
	classifier, err := classify.New(classify.DefaultConfig())
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "agents")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	type found struct {
		hits    int64
		agents  int
		example string
	}
	kinds := [2]map[family]*found{{}, {}}
	for agent, hits := range agents {
		one := filepath.Join(folder, "one.log")
		line := `192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "` + agent + "\"\n"
		if err := os.WriteFile(one, []byte(line), 0o600); err != nil {
			return err
		}
		browser, system, err := goaccessFamilies(ctx, one)
		if err != nil {
			return err
		}
		var h telemetry.WebHit
		classifier.Hit("", "site", &accesslog.Line{Client: "192.0.2.1", Method: "GET", Target: "/", UserAgent: agent}, &h)
		if h.Bot != "" {
			h.Browser, h.System = "(bots)", "(bots)"
		}
		for i, f := range []family{{browser, h.Browser}, {system, h.System}} {
			k := kinds[i][f]
			if k == nil {
				k = &found{example: agent}
				kinds[i][f] = k
			}
			k.hits += hits
			k.agents++
			k.example = min(k.example, agent)
		}
	}
	for i, title := range []string{"browser", "system"} {
		t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
		fmt.Fprintf(t, "\n%s: goaccess\tgoshawk\trequests\tagents\tsuch as\n", title)
		var all []family
		for f := range kinds[i] {
			all = append(all, f)
		}
		slices.SortFunc(all, func(a, b family) int { return strings.Compare(a.theirs+"\x00"+a.ours, b.theirs+"\x00"+b.ours) })
		for _, f := range all {
			k := kinds[i][f]
			fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%.120s\n", f.theirs, f.ours, k.hits, k.agents, k.example)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// agentsOf counts the requests of each user agent of a log.
func agentsOf(file string) (map[string]int64, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	agents := make(map[string]int64)
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m := combined.FindStringSubmatch(lines.Text()); m != nil && m[10] != "" {
			agents[m[9]]++
		}
	}
	return agents, lines.Err()
}

// goaccessFamilies returns what GoAccess takes the agent of a log's only line for.
func goaccessFamilies(ctx context.Context, file string) (browser, system string, err error) {
	text, _, err := runGoAccess(ctx, file)
	if err != nil {
		return "", "", err
	}
	var all struct {
		Browsers, OS struct{ Data []struct{ Data string } }
	}
	if err := json.Unmarshal([]byte(strings.ToValidUTF8(string(text), "\uFFFD")), &all); err != nil {
		return "", "", err
	}
	if len(all.Browsers.Data) > 0 {
		browser = all.Browsers.Data[0].Data
	}
	if len(all.OS.Data) > 0 {
		system = all.OS.Data[0].Data
	}
	return browser, system, nil
}
